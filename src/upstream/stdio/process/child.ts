import type { Buffer } from 'node:buffer'
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { CancelTimer, Clock } from '../../../core/clock.ts'
import { ProxyError } from '../../../core/errors.ts'
import type { MemoryShare } from '../../../core/held-memory.ts'
import type { StdioUpstreamPlan } from '../../../core/plan/upstream-plan.ts'
import { createChildEnvironment } from './environment.ts'
import { HeldBytes } from './held-bytes.ts'
import { InputQueue } from './input-queue.ts'
import { OutputReader } from './output-reader.ts'
import { awaitSilence, escalate, signalGroup } from './process-group.ts'
import type { ProcessEnd, ProcessHandlers, ServerProcess } from './server-process.ts'
import { ChildLog } from './stderr-log.ts'
import { waitForTurn } from './turn-share.ts'
import type { Watchdog } from './watchdog.ts'

/** Time that a process has to end after its input has ended, and once more after SIGTERM. */
const GRACE_MS = 2000
/** How long the rest of the output is awaited after a process has exited. */
const DRAIN = { silentMs: 50, longestMs: 1000 }
/** Time in which a process whose pipe broke is usually reported to have ended. */
const SUSPECT_MS = 200
/** How often it is checked whether a process still reads its input. */
const INPUT_CHECK_MS = 1000
const RETRY_AFTER_SECONDS = 2

export interface ChildHandlers extends ProcessHandlers {
  /** Called when the process is told to end. */
  ending?(): void
}

export interface ChildOptions {
  readonly plan: StdioUpstreamPlan
  /** What its environment says of the caller. */
  readonly variables?: Readonly<Record<string, string>> | undefined
  readonly clock: Clock
  readonly watchdog: Watchdog
  readonly onStderr: (line: string) => void
  readonly memory: MemoryShare
}

type State =
  | { readonly kind: 'running' }
  /** We have told it to end. */
  | { readonly kind: 'ending' }
  /** It can't go on, and was killed. */
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'over' }

/** An MCP server as a child process that reads and writes JSON lines, with all processes that it starts. */
export class Child implements ServerProcess {
  readonly #options: ChildOptions
  readonly #handlers: ChildHandlers
  readonly #log: ChildLog
  readonly #memory: HeldBytes
  readonly #ended = Promise.withResolvers<void>()
  readonly #process: ChildProcess | undefined
  readonly #input: InputQueue | undefined
  readonly #stopChecks: CancelTimer
  #state: State = { kind: 'running' }
  #exit = ''
  #isGivenUp = false
  #pauses = 0

  constructor(options: ChildOptions, handlers: ChildHandlers) {
    this.#options = options
    this.#handlers = handlers
    this.#log = new ChildLog({ clock: options.clock, onLine: options.onStderr, secrets: options.plan.secrets })
    this.#memory = new HeldBytes(options.memory)
    this.#process = this.#start()
    this.#input = this.#process?.stdin ? new InputQueue(this.#process.stdin, this.#memory) : undefined
    this.#stopChecks = options.clock.every(INPUT_CHECK_MS, () => this.#input?.check())
  }

  /** Undefined where it could not be started. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  get isOver(): boolean {
    return this.#state.kind !== 'running'
  }

  write(message: string): void {
    if (this.isOver || this.#input?.isWritable === false)
      throw new ProxyError('upstream_ended', { cause: this.#describe('has ended'), retryAfter: 1 })
    // Without an input, the process could not be started. Its end is about to be reported, and fails all requests.
    if (this.#input?.push(message) === false)
      throw new ProxyError('upstream_busy', {
        reason: 'input_full',
        cause: this.#describe('does not read'),
        retryAfter: RETRY_AFTER_SECONDS,
      })
  }

  /** What a process that has exited leaves is read without regard to slow clients, as Node does then: nothing more will come. */
  pause(): void {
    this.#pauses++
    if (this.#exit === '') this.#process?.stdout?.pause()
  }

  resume(): void {
    this.#pauses--
    if (this.#pauses === 0 || this.#exit !== '') this.#process?.stdout?.resume()
  }

  /** Ends the process as the specification says (stdio, Shutdown): its input ends, then the group gets SIGTERM, then SIGKILL. */
  end(graceMs: number = GRACE_MS): Promise<void> {
    if (!this.isOver) {
      this.#state = { kind: 'ending' }
      this.#handlers.ending?.()
      // What it still writes is not needed, but a full pipe would keep it from ending.
      this.#process?.stdout?.removeAllListeners('data').resume()
      this.#input?.end()
      escalate(this.#options.clock, graceMs, (signal) => this.#signal(signal), this.#ended.promise)
    }
    return this.#ended.promise
  }

  giveUp(): Promise<void> {
    this.#isGivenUp = true
    return this.end()
  }

  #start(): ChildProcess | undefined {
    const { plan, variables } = this.#options
    const [program = '', ...args] = plan.command
    try {
      const child = spawn(program, args, {
        cwd: plan.workDir,
        env: createChildEnvironment({ ...plan.env, ...variables }),
        stdio: ['pipe', 'pipe', 'pipe'],
        shell: false,
        // A process group of its own can be signalled as a whole, and does not get what a terminal sends to ours.
        detached: process.platform !== 'win32',
        windowsHide: true,
      })
      // An `error` event without a listener would end the proxy.
      child.on('error', (error) => {
        if (child.pid === undefined) this.#finish(error)
      })
      if (child.pid === undefined) return child
      this.#options.watchdog.add(child.pid)
      this.#listen(child)
      return child
    } catch (error) {
      setImmediate(() => this.#finish(error as Error))
      return undefined
    }
  }

  #listen(child: ChildProcess): void {
    const output = this.#createOutput()
    const { stdout, stderr } = child
    const read = this.#guard((chunk: Buffer) => putBack(stdout, output.push(chunk), this))
    stdout?.on('data', read)
    const log = this.#guard((chunk: Buffer) => putBack(stderr, this.#log.push(chunk)))
    stderr?.on('data', log)
    child.stderr?.on('error', () => undefined)
    // A process with a broken pipe would leave requests without an answer (EPIPE: its input is no longer read).
    child.stdin?.on('error', ({ code = 'an error' }: NodeJS.ErrnoException) =>
      this.#suspect(`no longer reads its input (${code})`),
    )
    child.stdout?.on('error', ({ code = 'an error' }: NodeJS.ErrnoException) => this.#suspect(`has a broken output (${code})`))
    child.stdout?.on('end', () => this.#suspect('closed its output'))
    child.once('exit', (code, signal) => {
      this.#exit = signal === null ? `exited with ${code}` : `was ended by ${signal}`
      this.#drain(child, output)
    })
  }

  #createOutput(): OutputReader {
    return new OutputReader({
      clock: this.#options.clock,
      maxMessageBytes: this.#options.plan.maxMessageBytes,
      isOver: () => this.isOver,
      message: (message) => this.#handlers.message(message),
      broken: (id, reason) => this.#handlers.broken(id, reason),
      note: (line) => this.#log.note(line),
      reply: (text) => this.#tryWrite(text),
      fail: (reason) => this.#fail(reason),
      hold: (bytes) => this.#memory.take(bytes),
      release: (bytes) => this.#memory.give(bytes),
    })
  }

  /** Reads the rest of the output of a process that has exited. */
  #drain(child: ChildProcess, output: OutputReader): void {
    // Everything that it has started ends with it, and closes its pipes by that.
    this.#signal('SIGKILL')
    let isRead = false
    const { heard, closed } = awaitSilence(this.#options.clock, DRAIN, () => {
      if (isRead) return
      isRead = true
      // A stream that flows would give one piece alone.
      const rest: Buffer | null = child.stdout?.removeAllListeners('data').pause().read() ?? null
      child.stdout?.destroy()
      child.stderr?.destroy()
      this.#readRest(rest, output)
    })
    child.stdout?.on('data', heard)
    child.once('close', closed)
  }

  /** What has arrived is read to its end, in as many turns as that takes. */
  #readRest(rest: Buffer | null, output: OutputReader): void {
    const read = this.#guard(() => {
      const left = rest === null ? rest : output.push(rest)
      if (left !== null && left.length > 0) return waitForTurn(() => this.#readRest(left, output))
      output.end()
      this.#finish(undefined)
    })
    if (!this.isOver) read()
    if (this.isOver) this.#finish(undefined)
  }

  /** Contains an exception to the process whose output caused it. Uncaught, it would end the proxy. */
  #guard<T extends unknown[]>(handle: (...args: T) => void): (...args: T) => void {
    return (...args) => {
      try {
        handle(...args)
      } catch (error) {
        this.#fail(`wrote what could not be handled (${String(error).slice(0, 200)})`)
      }
    }
  }

  #tryWrite(text: string): void {
    try {
      this.write(text)
    } catch {
      // A process that has stopped reading can't be answered.
    }
  }

  /** Kills a process that can't go on. Its requests fail when it is gone, which is soon. */
  #fail(reason: string): void {
    if (this.isOver) return
    this.#state = { kind: 'failed', reason }
    this.#signal('SIGKILL')
  }

  /** The pipes of a process that ends break before its end is reported. Then the end is the reason. */
  #suspect(reason: string): void {
    this.#options.clock.after(SUSPECT_MS, () => this.#fail(reason))
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#process?.pid
    if (pid !== undefined && this.#state.kind !== 'over') signalGroup(pid, signal)
  }

  #finish(startFailure: NodeJS.ErrnoException | undefined): void {
    if (this.#state.kind === 'over') return
    const before = this.#state
    this.#state = { kind: 'over' }
    this.#stopChecks()
    this.#memory.giveAll()
    this.#log.end()
    if (this.#process?.pid !== undefined) this.#options.watchdog.remove(this.#process.pid)
    const failure = before.kind === 'failed' ? before.reason : this.#exit
    const what = startFailure ? `could not be started (${startFailure.code ?? startFailure.message})` : failure
    const reason: ProcessEnd['reason'] = this.#describe(what)
    if (startFailure?.code !== undefined) reason.code = startFailure.code
    this.#ended.resolve()
    const expected = before.kind === 'ending'
    this.#handlers.ended({ expected, wasUsable: expected && !this.#isGivenUp, reason })
  }

  #describe(what: string): Error {
    const tail = this.#log.tail()
    const command = formatCommand(this.#options.plan.command)
    return new Error(`${command} ${what}${tail === '' ? '' : `; the last it wrote:\n${tail}`}`)
  }
}

/**
 * Until the next turn of the event loop, nothing more is read either: the process waits in its turn.
 *
 * @param flow - of the stream, where others hold it up as well
 */
function putBack(stream: Readable | null, rest: Buffer, flow: { pause(): unknown; resume(): unknown } | null = stream): void {
  if (stream === null || rest.length === 0) return
  flow?.pause()
  // Also of a process that has exited.
  stream.pause()
  stream.unshift(rest)
  waitForTurn(() => flow?.resume())
}

/** The command for messages. Arguments may be secrets, so only their number is told. */
export function formatCommand(command: readonly string[]): string {
  const more = command.length - 1
  return `"${command[0] ?? ''}"${more > 0 ? ` (with ${more} argument${more === 1 ? '' : 's'})` : ''}`
}
