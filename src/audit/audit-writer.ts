import type { Clock } from '../core/clock.ts'
import type { AuditFile } from './audit-file.ts'
import type { Chain, CheckpointReason } from './chain.ts'
import { createOutage } from './outage.ts'

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
  /** Writes what is left, and signs it. Gives up after a while. */
  close(): Promise<void>
}

export interface AuditWriterOptions {
  readonly file: AuditFile
  /** Makes the chain when the file is open, which says where it goes on; undefined for none. */
  readonly openChain: (() => Promise<Chain>) | undefined
  /** Milliseconds after which records have a signature at the latest. */
  readonly checkpointMs: number
  readonly clock: Clock
  /** Called with trouble and with its end, once each. */
  readonly onIssue: (message: string) => void
  /** What an outage means, as a sentence. */
  readonly consequence: string
  /** Called with each checkpoint: a copy that lies elsewhere shows whether the end of the file was cut off. */
  readonly onCheckpoint: (chain: Chain) => void
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
  const waiting = createWaiting()
  const output = createOutput(options)
  let running: Promise<void> | undefined
  let stopTimer: (() => void) | undefined
  const pass = async (isLook: boolean): Promise<void> => {
    try {
      await output.prepare(isLook)
      for (;;) {
        await output.write(waiting.take(COLLECTED_LENGTH))
        if (waiting.length === 0) break
      }
      const lost = outage.end()
      if (lost > 0) await output.write([options.formatLost(lost)])
    } catch (error) {
      outage.begin((error as Error).message)
    }
  }
  const run = (isLook: boolean): Promise<void> => {
    stopTimer?.()
    stopTimer = undefined
    running ??= pass(isLook).finally(() => {
      running = undefined
      if (waiting.length > 0 && !outage.isOn()) plan()
    })
    return running
  }
  const plan = (): void => {
    if (running !== undefined || outage.isOn()) return
    if (waiting.length >= COLLECTED_LENGTH) void run(false)
    else stopTimer ??= clock.after(FLUSH_MS, () => void run(false))
  }
  const stopLooking = clock.every(LOOK_MS, () => void run(true))
  return {
    add(line) {
      if (waiting.length + line.length > MAX_WAITING_LENGTH) return outage.lose('the disk is too slow')
      waiting.add(line)
      plan()
    },
    isDown: outage.isOn,
    lost: outage.lost,
    async start() {
      await output.prepare(true)
    },
    async close() {
      stopLooking()
      const deadline = clock.monotonic() + END_MS
      await running
      await run(false)
      while ((waiting.length > 0 || output.holdsBack()) && clock.monotonic() < deadline) {
        await pause(FLUSH_MS)
        await run(false)
      }
      for (const _ of waiting.take(Number.POSITIVE_INFINITY)) outage.lose('the process ended')
      await output.end().catch((error: Error) => outage.begin(error.message))
      await file.release().catch(() => undefined)
    },
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Records that wait for the disk, in their order. */
function createWaiting() {
  let lines: string[] = []
  let length = 0
  return {
    get length() {
      return length
    },
    add(line: string): void {
      lines.push(line)
      length += line.length
    },
    take(most: number): string[] {
      let taken = 0
      let size = 0
      while (taken < lines.length && (taken === 0 || size < most)) {
        size += lines[taken]?.length ?? 0
        taken += 1
      }
      const first = lines.slice(0, taken)
      lines = lines.slice(taken)
      length -= size
      return first
    },
  }
}

/** The file with the chain over it. */
function createOutput({ file, openChain, checkpointMs, clock, onCheckpoint }: AuditWriterOptions) {
  let chain: Chain | undefined
  let isOpen = false
  // Of lines that were linked already. What broke off goes on where it ended, in the same file.
  let rest: Buffer = Buffer.alloc(0)
  let isTorn = false
  let signedAt = clock.monotonic()
  const writeLines = async (lines: readonly string[]): Promise<void> => {
    if (lines.length > 0) rest = Buffer.concat([rest, Buffer.from(`${lines.join('\n')}\n`)])
    while (rest.length > 0) {
      const written = await file.append(rest)
      isTorn = written < rest.length
      rest = rest.subarray(written)
      if (written === 0) await pause(FLUSH_MS)
    }
  }
  const sign = async (reason: CheckpointReason): Promise<void> => {
    if (chain === undefined) return
    signedAt = clock.monotonic()
    await writeLines([chain.sign(reason, clock.wall())])
    onCheckpoint(chain)
  }
  const open = async (): Promise<void> => {
    await file.open()
    if (isOpen) return
    chain ??= await openChain?.()
    await sign('opened')
    isOpen = true
  }
  const next = async (reason: CheckpointReason, leave: () => Promise<void>): Promise<void> => {
    await sign(reason)
    isOpen = false
    await leave()
    await open()
  }
  return {
    /** @param isLook - whether to see that the file is still there */
    async prepare(isLook: boolean): Promise<void> {
      if (isTorn) return writeLines([])
      if (isLook || !isOpen) await open()
      if (isLook && (await file.wasMoved())) await next('moved', file.close)
      if (file.isDue()) await next('rotated', file.setAside)
      if (chain?.isOpen === true && clock.monotonic() - signedAt >= checkpointMs) await sign('interval')
    },
    async write(lines: readonly string[]): Promise<void> {
      await writeLines(chain === undefined ? lines : lines.map((line) => chain?.link(line) ?? line))
      if (file.isDue()) await next('rotated', file.setAside)
    },
    /** Whether lines that were linked wait for the disk. */
    holdsBack: () => rest.length > 0,
    async end(): Promise<void> {
      if (isOpen) await sign('closed')
    },
  }
}
