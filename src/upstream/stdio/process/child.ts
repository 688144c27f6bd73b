import type { Buffer } from 'node:buffer'
import { type ChildProcess, spawn } from 'node:child_process'
import { ProxyError } from '../../../core/errors.ts'
import type { StdioUpstreamPlan } from '../../../core/plan/upstream-plan.ts'
import { type ChildLine, type ChildMessage, readChildLine, readLongLine } from '../wire/child-messages.ts'
import type { MemoryShare } from '../wire/held-memory.ts'
import { formatError } from '../wire/json-responses.ts'
import { createChildEnvironment } from './environment.ts'
import { LineReader } from './line-reader.ts'
import { ChildLog } from './stderr-log.ts'
import type { Watchdog } from './watchdog.ts'

/** Milliseconds that a child gets to end by itself after its input has ended, and again after SIGTERM. */
const graceMilliseconds = 2000
/** Milliseconds for which the rest of its output is awaited once a child has exited. */
const drainMilliseconds = 50
/** However much comes: a process that left the group may hold the pipe and write on. */
const longestDrainMilliseconds = 1000
/** Milliseconds that a child whose pipe broke has to be reported as ended. */
const suspectMilliseconds = 200
/** What may wait for a child that has stopped reading. */
const mostWaitingMessages = 1000
const mostWaitingBytes = 8 * 1024 * 1024
const retryAfterSeconds = 2

export interface ChildHandlers {
  message(message: ChildMessage): void
  /** An answer that can't be passed on. */
  broken(id: string | number, reason: string): void
  /** The child has been told to end. */
  ending?(): void
  /** The child is gone; called once, last of all. */
  ended(end: ChildEnd): void
}

export interface ChildEnd {
  /** Whether we asked for it. */
  readonly expected: boolean
  /** What happened, with the command and the last lines of its standard error. For the operator. */
  readonly reason: Error & { code?: string }
}

export interface ChildOptions {
  readonly plan: StdioUpstreamPlan
  readonly watchdog: Watchdog
  readonly onStderr: (line: string) => void
  readonly memory: MemoryShare
}

/** An MCP server as a child process that reads and writes JSON lines, with all processes that it starts. */
export class Child {
  readonly #options: ChildOptions
  readonly #handlers: ChildHandlers
  readonly #log: ChildLog
  readonly #process: ChildProcess | undefined
  readonly #ended: Promise<void>
  #resolveEnded: () => void = () => undefined
  #isOver = false
  #isEnding = false
  #exit = ''
  /** Why it was ended although nobody asked for it. */
  #failure: string | undefined
  #waitingMessages = 0
  #unsent = ''
  #unsentMessages = 0
  #pauses = 0
  /** Bytes of messages that wait for it, and of the line that it is writing. */
  #held = 0

  constructor(options: ChildOptions, handlers: ChildHandlers) {
    this.#options = options
    this.#handlers = handlers
    this.#log = new ChildLog(options.onStderr, options.plan.secrets)
    this.#ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
    this.#process = this.#start()
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Resolves when the process is gone. */
  get ended(): Promise<void> {
    return this.#ended
  }

  get isOver(): boolean {
    return this.#isOver || this.#isEnding || this.#failure !== undefined
  }

  /**
   * Sends one message.
   *
   * @param message - on one line
   * @throws ProxyError `upstream_busy` when the child has stopped reading and enough is waiting for it
   */
  write(message: string): void {
    const text = message.replace(lineSeparators, escapeSeparator)
    const stdin = this.#process?.stdin
    if (this.isOver || stdin?.writable === false)
      throw new ProxyError('upstream_ended', { cause: this.#describe('has ended'), retryAfter: 1 })
    // It could not be started: whoever waits for an answer is about to be told why.
    if (!stdin) return
    const waiting = stdin.writableLength + this.#unsent.length
    const isFull = this.#waitingMessages >= mostWaitingMessages || waiting >= mostWaitingBytes
    if (isFull || !this.#hold(text.length))
      throw new ProxyError('upstream_busy', { cause: this.#describe('does not read'), retryAfter: retryAfterSeconds })
    this.#waitingMessages++
    // What comes in one turn of the event loop goes out in one piece.
    if (this.#unsent === '') setImmediate(() => this.#flush())
    this.#unsent += `${text}\n`
    this.#unsentMessages++
  }

  #flush(): void {
    const count = this.#unsentMessages
    const text = this.#unsent
    this.#unsent = ''
    this.#unsentMessages = 0
    if (text !== '')
      this.#process?.stdin?.write(text, () => {
        this.#waitingMessages -= count
        // Each message was counted without its line break.
        this.#letGo(text.length - count)
      })
  }

  #hold(bytes: number): boolean {
    if (!this.#options.memory.take(bytes)) return false
    this.#held += bytes
    return true
  }

  /** Nothing is held by a child that is gone, whatever its pipes still report. */
  #letGo(bytes: number): void {
    const held = Math.min(bytes, this.#held)
    this.#held -= held
    this.#options.memory.give(held)
  }

  /** Stops reading what the child writes, until as many calls of {@link resume}. */
  pause(): void {
    if (this.#pauses++ === 0) this.#process?.stdout?.pause()
  }

  resume(): void {
    if (--this.#pauses === 0) this.#process?.stdout?.resume()
  }

  /**
   * Ends the child as the specification has it (stdio, Shutdown): its input ends, then SIGTERM, then SIGKILL, both to the whole group.
   * Resolves when it is gone.
   */
  end(grace: number = graceMilliseconds): Promise<void> {
    if (!this.isOver) {
      this.#isEnding = true
      this.#handlers.ending?.()
      // Nobody listens any more, and a full pipe must not keep it from ending.
      this.#process?.stdout?.removeAllListeners('data').resume()
      this.#flush()
      this.#process?.stdin?.end()
      this.#escalate(grace)
    }
    return this.#ended
  }

  /** Ends the child at once. */
  kill(): void {
    this.#isEnding = true
    this.#signal('SIGKILL')
  }

  #escalate(grace: number): void {
    const terminate = setTimeout(() => this.#signal('SIGTERM'), grace)
    const kill = setTimeout(() => this.#signal('SIGKILL'), 2 * grace)
    void this.#ended.then(() => {
      clearTimeout(terminate)
      clearTimeout(kill)
    })
  }

  #start(): ChildProcess | undefined {
    const { plan } = this.#options
    const [program = '', ...args] = plan.command
    try {
      const child = spawn(program, args, {
        cwd: plan.workDir,
        env: createChildEnvironment(plan.env),
        stdio: ['pipe', 'pipe', 'pipe'],
        shell: false,
        // A process group of its own, to be signalled whole; and what a terminal sends to ours doesn't reach it.
        detached: process.platform !== 'win32',
        windowsHide: true,
      })
      // First of all: an error that nobody hears of would end us.
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
    const reader = new LineReader(this.#options.plan.maxMessageBytes, {
      line: (line) => this.#read(readChildLine(line), line),
      tooLong: (head, tail) => this.#readLong(readLongLine(head, tail)),
      hold: (bytes) => {
        if (!this.#hold(bytes)) this.#fail('wrote more than there is memory for')
      },
      letGo: (bytes) => this.#letGo(bytes),
    })
    child.stdout?.on(
      'data',
      this.#guard((chunk: Buffer) => reader.push(chunk)),
    )
    child.stderr?.on(
      'data',
      this.#guard((chunk: Buffer) => this.#log.push(chunk)),
    )
    child.stderr?.on('error', () => undefined)
    // Half dead is dead: whoever asks it something would wait for ever (EPIPE: nobody has the other end of its input any more).
    child.stdin?.on('error', ({ code = 'an error' }: NodeJS.ErrnoException) =>
      this.#suspect(`no longer reads its input (${code})`),
    )
    child.stdout?.on('error', ({ code = 'an error' }: NodeJS.ErrnoException) => this.#suspect(`has a broken output (${code})`))
    child.stdout?.on('end', () => this.#suspect('closed its output'))
    child.once('exit', (code, signal) => {
      this.#exit = signal === null ? `exited with ${code}` : `was ended by ${signal}`
      // Whatever it has started ends with it, and with that its pipes.
      this.#signal('SIGKILL')
      const finish = (): void => {
        clearTimeout(silent)
        clearTimeout(longest)
        this.#finishReading(child, reader)
      }
      const silent = setTimeout(finish, drainMilliseconds)
      const longest = setTimeout(finish, longestDrainMilliseconds)
      child.stdout?.on('data', () => silent.refresh())
      child.once('close', finish)
    })
  }

  #finishReading(child: ChildProcess, reader: LineReader): void {
    if (this.#isOver) return
    if (!this.isOver) this.#guard(() => reader.end())()
    child.stdout?.destroy()
    child.stderr?.destroy()
    this.#finish(undefined)
  }

  /** What a child writes may end that child, and nobody else: whatever goes wrong here would end all of us. */
  #guard<T extends unknown[]>(handle: (...args: T) => void): (...args: T) => void {
    return (...args) => {
      try {
        handle(...args)
      } catch (error) {
        this.#fail(`wrote what could not be handled (${String(error).slice(0, 200)})`)
      }
    }
  }

  /** It can't go on. Its users hear of that when it is gone, which is at once. */
  #fail(why: string): void {
    if (this.isOver) return
    this.#failure = why
    this.#signal('SIGKILL')
  }

  /** Its pipes break before it is reported to have ended: then that is the reason. */
  #suspect(why: string): void {
    setTimeout(() => this.#fail(why), suspectMilliseconds).unref()
  }

  #read(read: ChildLine, line: Buffer): void {
    if (this.isOver) return
    if (read.kind === 'batch') for (const each of read.lines) this.#read(each, line)
    else if (read.kind === 'messages') this.#pass(read)
    else if (read.kind === 'broken') this.#refuse(read.id, read.reason)
    else if (read.kind === 'refused') this.#refuseRequest(read.id, read.reason)
    else if (read.reason !== '') this.#log.note(`(standard output, ${read.reason}) ${line.subarray(0, 500).toString('utf8')}`)
  }

  #pass({ messages, around }: ChildLine & { kind: 'messages' }): void {
    if (around !== undefined) this.#log.note(`(standard output, around a message) ${around.slice(0, 500)}`)
    for (const message of messages) if (!this.isOver) this.#handlers.message(message)
  }

  #refuseRequest(id: string | number, reason: string): void {
    this.#log.note(`(standard output) a request that cannot be passed on: ${reason}`)
    try {
      this.write(formatError(JSON.stringify(id), -32600, `Invalid request: ${reason}`))
    } catch {
      // A child that doesn't read can't be answered.
    }
  }

  /** A line of which nothing can be made out may have been the answer to any request: none of them can be relied on. */
  #readLong(read: ChildLine): void {
    if (this.isOver) return
    if (read.kind === 'broken') return this.#refuse(read.id, read.reason)
    this.#fail(`wrote a line of more than ${this.#options.plan.maxMessageBytes} bytes`)
  }

  #refuse(id: string | number, reason: string): void {
    this.#log.note(`(standard output) an answer that cannot be passed on: ${reason}`)
    this.#handlers.broken(id, reason)
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#process?.pid
    if (pid === undefined || this.#isOver) return
    try {
      process.kill(process.platform === 'win32' ? pid : -pid, signal)
    } catch {
      // ESRCH: nobody is left in the group.
    }
  }

  #finish(failure: NodeJS.ErrnoException | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#letGo(this.#held)
    this.#log.end()
    if (this.#process?.pid !== undefined) this.#options.watchdog.remove(this.#process.pid)
    const what = failure ? `could not be started (${failure.code ?? failure.message})` : (this.#failure ?? this.#exit)
    const reason: ChildEnd['reason'] = this.#describe(what)
    if (failure?.code !== undefined) reason.code = failure.code
    this.#resolveEnded()
    this.#handlers.ended({ expected: this.#isEnding, reason })
  }

  #describe(what: string): Error {
    const tail = this.#log.tail()
    const command = formatCommand(this.#options.plan.command)
    return new Error(`${command} ${what}${tail === '' ? '' : `; the last it wrote:\n${tail}`}`)
  }
}

/** Some programs end lines with these, too (Node's `readline`). In JSON they can stand in strings alone, where the escape is the same. */
const lineSeparators = /[\u2028\u2029]/g

function escapeSeparator(separator: string): string {
  return separator === '\u2028' ? '\\u2028' : '\\u2029'
}

/** The command for messages. Arguments may hold secrets: only the program is named, and how many there are. */
export function formatCommand(command: readonly string[]): string {
  const more = command.length - 1
  return `"${command[0] ?? ''}"${more > 0 ? ` (with ${more} argument${more === 1 ? '' : 's'})` : ''}`
}
