import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/**
 * Runs the measurements one after the other, each in a process of its own. Arguments name them (`npm run bench -- calls flows`), without
 * any, all are run; `--quick` takes less time and is less certain. What the proxy bears is measured by `limits.ts`, which this leaves out.
 */

const parts: Readonly<Record<string, string>> = {
  calls: 'Calls and idle streams, beside a bare pass-through',
  flows: 'Each kind of traffic, beside other proxies',
  latency: 'How long calls take at a fixed rate',
  observers: 'Metrics and audit, part by part',
  decisions: 'Decisions of policy',
  lists: 'Filtered lists',
  pairs: 'Whole calls with more policy',
  assertion: 'An assertion of who calls, part by part',
  stdio: 'stdio servers',
  gateways: 'Calls in 32 MCP sessions, beside a gateway',
  sessions: 'Sign-ins and refreshes of the broker',
}

const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'))
for (const name of names.length > 0 ? names : Object.keys(parts)) {
  if (parts[name] === undefined) throw new Error(`no measurement ${name}; there are ${Object.keys(parts).join(', ')}`)
  console.log(`\n# ${parts[name]}\n`)
  const script = fileURLToPath(new URL(`${name}.ts`, import.meta.url))
  const [code] = await once(spawn(process.execPath, [script, ...flags], { stdio: 'inherit' }), 'exit')
  if (code !== 0) process.exitCode = 1
}
