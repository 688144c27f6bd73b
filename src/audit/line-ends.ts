import type { FileHandle } from 'node:fs/promises'

/** Bytes that are read at a time. */
const PIECE_BYTES = 64 * 1024
/** Longest line that is looked for. */
const MAX_LINE_BYTES = 16 * 1024 * 1024
const LINE_END = 0x0a

/** How a file ends. */
export interface FileEnd {
  /** Bytes up to the end of the last whole line. */
  readonly wholeBytes: number
  readonly size: number
  /** Without its line end; undefined where there is no whole line. */
  readonly lastLine: string | undefined
  readonly firstLine: string | undefined
}

export async function readFileEnd(file: FileHandle): Promise<FileEnd> {
  const { size } = await file.stat()
  const wholeBytes = (await findLineEndBefore(file, size)) + 1
  if (wholeBytes === 0) return { wholeBytes, size, lastLine: undefined, firstLine: undefined }
  const start = (await findLineEndBefore(file, wholeBytes - 1)) + 1
  return {
    wholeBytes,
    size,
    lastLine: (await readBytes(file, start, wholeBytes - 1)).toString(),
    firstLine: await readFirstLine(file, wholeBytes),
  }
}

/** @returns position of the last line end before `end`; -1 for none */
async function findLineEndBefore(file: FileHandle, end: number): Promise<number> {
  for (let stop = end; stop > 0 && end - stop < MAX_LINE_BYTES; stop -= PIECE_BYTES) {
    const start = Math.max(0, stop - PIECE_BYTES)
    const found = (await readBytes(file, start, stop)).lastIndexOf(LINE_END)
    if (found >= 0) return start + found
  }
  return -1
}

async function readFirstLine(file: FileHandle, wholeBytes: number): Promise<string> {
  const bytes = await readBytes(file, 0, Math.min(wholeBytes, PIECE_BYTES))
  return bytes.subarray(0, bytes.indexOf(LINE_END)).toString()
}

async function readBytes(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.alloc(end - start)
  const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
  return bytes.subarray(0, bytesRead)
}
