import { write } from 'node:fs'

/** Characters that are collected before they are written, and milliseconds that a line waits for that at most. */
const COLLECTED_LENGTH = 64 * 1024
const FLUSH_MS = 250
/** Characters that may wait for a reader of the log; what comes then is lost, rather than everybody's memory. */
const MAX_COLLECTED = 16 * 1024 * 1024
/** Milliseconds after which a reader that took nothing is tried again, and for which the end of the process waits for it. */
const RETRY_MS = 50
const END_MS = 2000
const REPORT_MS = 60_000
/** File descriptor. */
const STANDARD_ERROR = 2

/** Where the lines of the log go. */
export interface LogOutput {
  write(line: string): void
  /** Flushes the buffer. Resolves also if the reader takes nothing. */
  end(): Promise<void>
  /** Bytes that could not be written. */
  lostBytes(): number
}

/**
 * Writes to a file descriptor in large pieces, since a write for every line costs more than making it. A full disk, or a reader that is
 * slow or gone, costs lines, which standard error tells, and nothing else: it neither stops nor delays a request.
 *
 * @param encode - makes the bytes of a piece that is to be written
 */
export function createLogOutput(descriptor: number, encode: (text: string) => Buffer): LogOutput {
  const trouble = createTroubleReport()
  let collected = ''
  let writing: Promise<void> | undefined
  // Where a piece broke off, the next line must not become a part of that one.
  let isTorn = false
  const pass = (): void => {
    if (writing || collected === '') return
    const piece = encode(isTorn ? `\n${collected}` : collected)
    collected = ''
    writing = writePiece(descriptor, piece).then(({ left, error }) => {
      if (error !== undefined) trouble.lost(left, error.message)
      isTorn = error === undefined ? false : isTorn || left < piece.length
      writing = undefined
      if (collected.length >= COLLECTED_LENGTH) pass()
    })
  }
  const timer = setInterval(pass, FLUSH_MS).unref()
  return {
    write(line) {
      if (collected.length > MAX_COLLECTED) return trouble.lost(line.length, 'its reader takes nothing')
      collected += line
      if (collected.length >= COLLECTED_LENGTH) pass()
    },
    async end() {
      clearInterval(timer)
      const deadline = performance.now() + END_MS
      while ((writing || collected !== '') && performance.now() < deadline) {
        pass()
        await Promise.race([writing, pause(RETRY_MS)])
      }
    },
    lostBytes: trouble.lostBytes,
  }
}

/** Writes all of it, however long it takes. With an error that ended it comes the number of bytes that are lost. */
async function writePiece(descriptor: number, piece: Buffer): Promise<{ readonly left: number; readonly error?: Error }> {
  let rest = piece
  try {
    while (rest.length > 0) {
      const written = await writeOnce(descriptor, rest)
      if (written === 0) await pause(RETRY_MS)
      rest = rest.subarray(written)
    }
    return { left: 0 }
  } catch (error) {
    return { left: rest.length, error: error as Error }
  }
}

/** Resolves with the number of bytes that were taken: none where a pipe is full. */
function writeOnce(descriptor: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, (error, written) => {
      if (!error) resolve(written)
      else if (error.code === 'EAGAIN' || error.code === 'EINTR') resolve(0)
      else reject(error)
    })
  })
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Says what became of the log, once a minute while it goes on. */
function createTroubleReport() {
  let quietUntil = 0
  let lostBytes = 0
  return {
    lostBytes: () => lostBytes,
    lost(bytes: number, why: string): void {
      lostBytes += bytes
      if (performance.now() < quietUntil) return
      quietUntil = performance.now() + REPORT_MS
      // Standard error may be closed or full as well: then the message is lost, and nothing waits for it.
      write(STANDARD_ERROR, `The log cannot be written: ${why}. Bytes lost until now: ${lostBytes}\n`, () => undefined)
    },
  }
}
