import { setTimeout as pause } from 'node:timers/promises'
import { ChainedFile, type ChainedFileOptions } from './chained-file.ts'
import { createOutage } from './outage.ts'
import { WaitingRecords } from './waiting-records.ts'

/** Takes records and writes them behind the requests: none of them waits for a disk. */
export interface AuditWriter {
  /** @param line - a record, without its line end */
  add(line: string): void
  /** Whether the last attempt to write failed. */
  isDown(): boolean
  /** Records that were lost until now. */
  lost(): number
  /** Opens the file, so that a start fails that cannot write; another writer is waited for. */
  start(): Promise<void>
  /** Writes what is left, and signs it. Gives up after a while; then {@link isDown} stays true. */
  close(): Promise<void>
}

export interface AuditWriterOptions extends ChainedFileOptions {
  /** Called with trouble and with its end, once each. */
  readonly onIssue: (message: string) => void
  /** What an outage means, as a sentence. */
  readonly consequence: string
  /** Makes the record of lost ones. */
  readonly formatLost: (records: number) => string
}

/** Characters that are written at a time, and milliseconds that a record waits for more of them. */
const COLLECTED_LENGTH = 64 * 1024
const FLUSH_MS = 100
/** Characters that may wait for the disk; what comes then is lost. */
const MAX_WAITING_LENGTH = 16 * 1024 * 1024
/** How often the file is looked at, and how often a failed write is tried again. */
const LOOK_MS = 1000
/** How long the end of the process waits for the disk. */
const END_MS = 5000

export function createAuditWriter(options: AuditWriterOptions): AuditWriter {
  const { file, clock } = options
  const outage = createOutage(options.consequence, options.onIssue)
  const waiting = new WaitingRecords()
  const output = new ChainedFile(options)
  let running: Promise<void> | undefined
  let stopTimer: (() => void) | undefined
  const writeAll = async (ready: Promise<void>): Promise<void> => {
    try {
      await ready
      do {
        await output.write(waiting.take(COLLECTED_LENGTH))
      } while (waiting.length > 0)
      const lost = outage.end()
      if (lost > 0) await output.write([options.formatLost(lost)])
    } catch (error) {
      outage.begin((error as Error).message)
    }
  }
  const run = (work: () => Promise<void>): Promise<void> => {
    stopTimer?.()
    stopTimer = undefined
    // One at a time, the start included: another would find the file locked, by this very process.
    running ??= work().finally(() => {
      running = undefined
      if (waiting.length > 0 && !outage.isOn()) plan()
    })
    return running
  }
  const flush = () => run(() => writeAll(output.prepare()))
  const plan = (): void => {
    if (running !== undefined || outage.isOn()) return
    if (waiting.length >= COLLECTED_LENGTH) void flush()
    else stopTimer ??= clock.after(FLUSH_MS, () => void flush())
  }
  const look = () => run(() => writeAll(output.inspect()))
  const stopLooking = clock.every(LOOK_MS, () => void look())
  const writeRest = async (): Promise<void> => {
    const deadline = clock.monotonic() + END_MS
    await running
    // Not `flush`: a file that was deleted takes records, and loses them.
    await look()
    for (; (waiting.length > 0 || output.holdsBack) && clock.monotonic() < deadline; await look()) await pause(FLUSH_MS)
    for (const _ of waiting.take(Number.POSITIVE_INFINITY)) outage.lose('the process ended')
  }
  return {
    add(line) {
      if (waiting.length + line.length > MAX_WAITING_LENGTH) return outage.lose('the disk is too slow')
      waiting.add(line)
      plan()
    },
    isDown: outage.isOn,
    lost: outage.lost,
    start: () => run(() => output.inspect()),
    async close() {
      stopLooking()
      await writeRest()
      await output.end().catch((error: Error) => outage.begin(error.message))
      await file.release().catch((error: Error) => outage.begin(error.message))
      outage.conclude()
    },
  }
}
