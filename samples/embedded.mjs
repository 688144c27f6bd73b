// A proxy inside a program of yours: npm install open-mcp-auth-proxy, then node embedded.mjs config.yaml
import { ConfigError, loadConfigFile, startProxy } from 'open-mcp-auth-proxy'

const [file = 'config.yaml'] = process.argv.slice(2)

try {
  const { plan, notices } = loadConfigFile(file)
  for (const notice of notices) console.error(`notice: ${notice}`)
  const proxy = await startProxy(plan)
  console.error(`listening on ${proxy.url}`)
  // Running requests may finish, then streams end.
  process.once('SIGTERM', () => proxy.close())
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  for (const { path, reason, fix } of error.problems) console.error(`${path} ${reason}. ${fix}`)
  process.exitCode = 2
}
