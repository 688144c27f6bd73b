import type { ProxyError } from '../../src/core/errors.ts'
import type { MemoryShare } from '../../src/core/held-memory.ts'
import type { RequestSink } from '../../src/upstream/stdio/channel/request-sink.ts'
import type { ProcessOwner } from '../../src/upstream/stdio/process/process-owner.ts'
import type { ProcessHandlers, ProcessSource, ServerProcess } from '../../src/upstream/stdio/process/server-process.ts'
import { readChildLine } from '../../src/upstream/stdio/wire/child-messages.ts'
import { type ClientMessage, createClientMessage } from '../../src/upstream/stdio/wire/client-messages.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'

// biome-ignore lint/suspicious/noExplicitAny: whatever the bridge writes
type Json = any

/** A process that says what a test has it say. */
export interface FakeProcess extends ServerProcess {
  readonly key: string
  /** What was written to it, parsed. */
  readonly read: Json[]
  readonly pauses: number
  /** Writes a message, or a line as it stands. */
  say(message: object | string): void
  /** Answers the newest request of a method. */
  answer(method: string, result: unknown): void
  /** Its response to a request can't be passed on. */
  break(id: string | number, reason: string): void
  die(): void
}

export interface FakeSource extends ProcessSource {
  readonly clock: FakeClock
  readonly processes: FakeProcess[]
  /** Called with each message that a process reads. */
  onRead: (process: FakeProcess, message: Json) => void
  /** How many processes were given up. */
  readonly givenUp: number
  /** How often the operator was told of a silent process. */
  readonly silences: number
}

export function createFakeSource(requestSeconds = 1800): FakeSource {
  const clock = createFakeClock()
  const source = {
    clock,
    requestSeconds,
    processes: [] as FakeProcess[],
    silences: 0,
    givenUp: 0,
    onRead: () => undefined,
    start: async ({ key }: ProcessOwner, handlers: ProcessHandlers) => {
      const process = createFakeProcess(key, handlers, {
        read: (message) => (source as FakeSource).onRead(process, message),
        givenUp: () => void source.givenUp++,
      })
      source.processes.push(process)
      return process
    },
    watchRequest(onIdle: () => void) {
      let cancel = clock.after(requestSeconds * 1000, onIdle)
      return {
        touch() {
          cancel()
          cancel = clock.after(requestSeconds * 1000, onIdle)
        },
        stop: () => cancel(),
      }
    },
    reportSilence() {
      source.silences++
    },
    onFull: () => undefined,
  }
  return source
}

interface FakeEvents {
  read(message: Json): void
  givenUp(): void
}

function createFakeProcess(key: string, handlers: ProcessHandlers, on: FakeEvents): FakeProcess {
  const process = {
    key,
    read: [] as Json[],
    isOver: false,
    pauses: 0,
    write(text: string) {
      const message = JSON.parse(text)
      process.read.push(message)
      on.read(message)
    },
    pause: () => void process.pauses++,
    resume: () => void process.pauses--,
    end: async () => {
      process.isOver = true
    },
    giveUp: async () => {
      if (!process.isOver) on.givenUp()
      process.isOver = true
    },
    say(message: object | string) {
      const line = typeof message === 'string' ? message : JSON.stringify({ jsonrpc: '2.0', ...message })
      const read = readChildLine(Buffer.from(line))
      if (read.kind === 'messages') for (const each of read.messages) handlers.message(each)
    },
    answer(method: string, result: unknown) {
      process.say({ id: process.read.findLast((message) => message.method === method).id, result })
    },
    break: (id: string | number, reason: string) => handlers.broken(id, reason),
    die() {
      process.isOver = true
      handlers.ended({ expected: false, wasUsable: false, reason: new Error('it exited with 1') })
    },
  }
  return process
}

/** What a client got for one request. */
export interface RecordingSink {
  readonly sink: RequestSink
  readonly related: Json[]
  readonly responses: Json[]
  readonly failures: ProxyError['code'][]
  readonly closed: number
}

export function createRecordingSink(kind: RequestSink['kind'] = 'response'): RecordingSink {
  const got = { related: [] as Json[], responses: [] as Json[], failures: [] as ProxyError['code'][], closed: 0 }
  const events = {
    related: (text: string) => void got.related.push(JSON.parse(text)),
    response: (text: string) => void got.responses.push(JSON.parse(text)),
    failed: (error: ProxyError) => void got.failures.push(error.code),
  }
  const sink: RequestSink = kind === 'response' ? { kind, ...events } : { kind, ...events, closed: () => void got.closed++ }
  return Object.assign(got, { sink })
}

/** A client's message. */
export function createMessage(method: string, params: object = {}, id: string | number | undefined = 'c'): ClientMessage {
  return createClientMessage(JSON.stringify({ jsonrpc: '2.0', ...(id === undefined ? {} : { id }), method, params }))
}

/** Memory without an end, and what of it is taken. */
export function createCountingMemory(): MemoryShare & { readonly held: number } {
  const memory = {
    held: 0,
    take(bytes: number) {
      memory.held += bytes
      return true
    },
    give(bytes: number) {
      memory.held -= bytes
    },
  }
  return memory
}

/** Lets everything run that was put off to the end of this tick. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}
