import { PassThrough } from 'node:stream'
import { SAMPLE_USERS, type User } from '../src/sandbox/users.ts'
import { createNarrator, type Narrator } from './narrator.ts'
import { type DemoServers, startServers } from './servers.ts'
import { tellStory } from './story.ts'

const USAGE = `npm run demo               shows a client going through the proxy, then
                           leaves the servers up to try your own
npm run demo -- --broker   the same with the proxy as authorization server,
                           before an identity provider that cannot serve MCP
                           clients
npm run demo -- --once     ends after the show: exit code 0 if every step went
                           as it should, else 1
`

const FLAGS = ['--once', '--broker']

const [alice, bob] = SAMPLE_USERS

await main(process.argv.slice(2))

async function main(flags: readonly string[]): Promise<void> {
  if (flags.some((flag) => !FLAGS.includes(flag))) {
    process.stderr.write(USAGE)
    process.exitCode = flags.includes('--help') ? 0 : 2
    return
  }
  const narrator = createNarrator(process.stdout, process.env)
  const proxyLog = Object.assign(new PassThrough(), { isTTY: process.stdout.isTTY })
  const servers = await startServers(proxyLog, flags.includes('--broker') ? 'broker' : 'resource server')
  const hasWorked = await play(servers, narrator)
  if (flags.includes('--once') || !hasWorked) {
    await servers.close()
    if (!hasWorked) narrator.block(`The proxy's log:\n${proxyLog.read() ?? ''}`)
    process.exitCode = hasWorked ? 0 : 1
    return
  }
  introduce(servers, narrator)
  showLog(proxyLog)
  await stopOnSignal(servers, narrator)
}

/** Shows the servers and tells the story; says at the end whether every step went as it should. */
async function play(servers: DemoServers, narrator: Narrator): Promise<boolean> {
  narrator.title('Three servers on this machine')
  narrator.detail('MCP server, unprotected', servers.upstreamUrl)
  const { identityProvider } = servers
  if (identityProvider === undefined) narrator.detail('authorization server', servers.issuer)
  else narrator.detail('identity provider', identityProvider)
  narrator.detail(
    identityProvider === undefined ? 'Open MCP Auth Proxy' : 'Open MCP Auth Proxy, also authorization server',
    servers.url,
  )
  narrator.title("The proxy's whole configuration")
  narrator.block(servers.configuration.trim())
  narrator.title('What happens when a client connects')
  try {
    await tellStory({ ...servers, alice, bob }, narrator)
    narrator.good('Every step went as it should.')
    return true
  } catch (error) {
    narrator.bad(`This step did not go as it should: ${error instanceof Error ? error.message : error}`)
    return false
  }
}

function introduce(servers: DemoServers, narrator: Narrator): void {
  narrator.title('Now try it with a client of your own')
  narrator.block(`MCP Inspector   npx @modelcontextprotocol/inspector
                choose “Streamable HTTP”, enter ${servers.url}, connect
Claude Code     claude mcp add --transport http demo ${servers.url}
                then /mcp in Claude Code, choose “demo”, authenticate
VS Code         code --add-mcp '{"name":"demo","type":"http","url":"${servers.url}"}'
older clients   HTTP+SSE at ${servers.sseUrl}

sign in as      ${formatUser(alice)}
                ${formatUser(bob)}

Ctrl-C ends it. Everything is forgotten then: remove the server from your
client and add it again after the next start.`)
  narrator.title("The proxy's log, a line for each request")
}

function formatUser({ name, password, mayGrant }: User): string {
  return `${name.padEnd(6)} password ${password.padEnd(11)} may have ${mayGrant.join(', ')}`
}

function showLog(proxyLog: PassThrough): void {
  // What was logged during the show has been told already.
  proxyLog.read()
  proxyLog.pipe(process.stdout)
}

async function stopOnSignal(servers: DemoServers, narrator: Narrator): Promise<void> {
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve())
    process.once('SIGTERM', () => resolve())
  })
  // A second Ctrl-C finds no handler any more and ends the process at once.
  await servers.close()
  narrator.good('Stopped.')
}
