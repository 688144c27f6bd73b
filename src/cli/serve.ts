import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { RunningProxy } from '../app.ts'
import type { Loaded } from '../config/load.ts'
import type { ListenPlan, Plan } from '../core/plan/plan.ts'
import { readVersion } from '../core/version.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import { DEMO_WARNING, formatDemo, startDemo } from './demo.ts'
import { formatUnrefreshed } from './identity-provider-lines.ts'
import { formatNotices } from './notice-lines.ts'
import { findPassedSockets, type PassedSockets } from './passed-sockets.ts'
import { createReloads } from './reloads.ts'
import { formatAddresses } from './route-table.ts'
import type { Environment, Source } from './source.ts'
import type { Terminal } from './terminal.ts'
import { WIDTH, wrap, wrapHanging } from './wrap.ts'

/**
 * `serve`: runs the proxy until a signal stops it.
 *
 * @returns the exit code: 0 when it drained, 1 when it could not start, a second signal came before it had drained, or the audit log has lost records that `audit.fail: refuse` promises
 */
export async function serve(source: Source, terminal: Terminal, env: Environment['env']): Promise<0 | 1> {
  const signals = watchSignals()
  const reloads = createReloads(source, terminal)
  const loaded = reloads.source.load()
  const started = await start(loaded, reloads.source, env).catch((error: unknown) => {
    terminal.tell(`${terminal.paintError('red', 'error')} ${explainStart(error, loaded.plan.listen)}`)
  })
  if (started === undefined) return 1
  printStart(started, source, terminal)
  reloads.begin(started)
  await signals.first
  terminal.tell(formatStopping(started.loaded.plan))
  return Promise.race([stop(started, terminal), signals.second.then(() => 1 as const)])
}

function formatStopping({ shutdownDelaySeconds }: Plan): string {
  const rest = 'Running requests may finish; another signal ends them.'
  if (shutdownDelaySeconds === 0) return `Stopping. ${rest}`
  return `Stopping in ${shutdownDelaySeconds} s. Until then /readyz answers 503 and everything is served. ${rest}`
}

interface Started {
  readonly proxy: RunningProxy
  readonly loaded: Loaded
  readonly socketNotice?: string | undefined
  /** What signs users in with `--demo`. */
  readonly sandbox?: Sandbox
}

/**
 * The sandbox goes last: requests that still run may need its keys.
 *
 * @returns the exit code: 1 where what was promised to be recorded was not
 */
async function stop({ proxy, sandbox }: Started, { tell, paintError }: Terminal): Promise<0 | 1> {
  try {
    await proxy.close()
    return 0
  } catch (error) {
    tell(`${paintError('red', 'error')} ${error instanceof Error ? error.message : String(error)}`)
    return 1
  } finally {
    await sandbox?.close()
  }
}

async function start(loaded: Loaded, source: Source, env: Environment['env']): Promise<Started> {
  const passed = findPassedSockets(env, process.pid)
  checkPassedSockets(passed, loaded)
  // Loaded only now: the other commands need none of it.
  const { startProxy } = await import('../app.ts')
  const port = await choosePort(loaded.plan.listen, passed)
  const settled = port === loaded.plan.listen.port ? loaded : source.load(port)
  if (settled.sandboxPort !== undefined) return startDemo(settled, settled.sandboxPort, source)
  const sockets = { listen: passed.listen?.descriptor, admin: passed.admin?.descriptor }
  const load = () => loadAgain(source, loaded.plan.listen.port, port)
  const proxy = await startProxy(settled.plan, { sockets, load, configurationFile: source.file, ownsProcess: true })
  return { proxy, loaded: settled, socketNotice: passed.notice }
}

/**
 * The configuration as it is now, for a reload.
 *
 * @param configured - the port that it had at the start
 * @param port - the one that it listens on instead
 */
function loadAgain(source: Source, configured: number, port: number): Plan {
  const { plan } = source.load()
  // Another port than at the start is a change, and must be seen as one.
  return port === configured || plan.listen.port !== configured ? plan : source.load(port).plan
}

/** The port is part of the URLs that clients are told. So a free one is chosen here and not while listening, and that of a socket counts. */
async function choosePort({ host, port }: ListenPlan, { listen }: PassedSockets): Promise<number> {
  if (listen !== undefined) return listen.port
  return port === 0 ? findFreePort(host) : port
}

/** @throws Error where a socket is passed that must not be used */
function checkPassedSockets({ listen, admin }: PassedSockets, { plan, sandboxPort }: Loaded): void {
  if (sandboxPort !== undefined && (listen ?? admin) !== undefined)
    throw new Error('--demo listens on addresses of this machine alone, and takes no sockets of systemd.')
  if (admin !== undefined && plan.admin === undefined)
    throw new Error(
      'systemd passes a socket for `admin`, and the configuration has no `admin`. Write it, or remove the socket unit.',
    )
}

async function findFreePort(host: string): Promise<number> {
  const probe = createServer().listen(0, host)
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

function explainStart(error: unknown, { host, port, reusePort }: ListenPlan): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOTSUP') return 'This system cannot share a port. Remove listen.reuse_port, which is for Linux.'
  if (code === 'EADDRINUSE' && reusePort)
    return `Port ${port} of ${host} is in use by a process that does not share it, or is another user's. Both processes need listen.reuse_port.`
  if (code === 'EADDRINUSE') return `Port ${port} of ${host} is in use. Choose another with listen.port or --port.`
  if (code === 'EACCES')
    return `No permission to listen on port ${port} of ${host}. Choose one above 1023 with listen.port or --port.`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `This machine has no address ${host}. Correct listen.host or --host.`
  return `The proxy cannot start: ${error instanceof Error ? error.message : String(error)}`
}

function printStart({ proxy, loaded, sandbox, socketNotice }: Started, source: Source, terminal: Terminal): void {
  const { plan, notices } = loaded
  const { tell, paintError } = terminal
  tell(paintError('bold', `Open MCP Auth Proxy ${readVersion()} is listening on ${proxy.url}`))
  for (const line of formatAddresses(plan)) tell(`  ${line}`)
  if (proxy.adminUrl !== undefined) tell(`  For operators: ${proxy.adminUrl}/metrics and /status`)
  if (plan.broker !== undefined)
    for (const line of wrapHanging(`  ${formatUnrefreshed(plan.broker.identityProvider)}`, 4)) tell(line)
  const ignored = source.ignoredFile === undefined ? [] : [`${source.ignoredFile} is not used: the command line says everything.`]
  const unused = socketNotice === undefined ? [] : [socketNotice]
  for (const line of formatNotices([...ignored, ...unused, ...notices], paintError)) tell(line)
  if (sandbox !== undefined) printDemo(sandbox, plan, terminal)
}

/** Told last, so that it stands where people look. */
function printDemo(sandbox: Sandbox, plan: Plan, { tell, paintError }: Terminal): void {
  for (const line of wrap(DEMO_WARNING, WIDTH)) tell(paintError('red', line))
  for (const line of formatDemo(sandbox, plan)) tell(`  ${line}`)
}

/** Settle when the first and the second SIGTERM or SIGINT arrives. */
function watchSignals(): { readonly first: Promise<void>; readonly second: Promise<void> } {
  const waiting: (() => void)[] = []
  const first = new Promise<void>((resolve) => waiting.push(resolve))
  const second = new Promise<void>((resolve) => waiting.push(resolve))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => waiting.shift()?.())
  return { first, second }
}
