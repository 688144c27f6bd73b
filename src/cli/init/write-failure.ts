import { UsageError } from '../usage-error.ts'

/** A file could not be written, and another command line would not help: permissions, a full disk. The message is for people. */
export class WriteFailure extends Error {}

/** What a wrong name of a file leads to. */
const MISNAMED = new Set(['EEXIST', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'ENOENT', 'ENOTDIR'])

/** What to throw where a file could not be written. */
export function explainWriteFailure(file: string, error: unknown): UsageError | WriteFailure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  const message = `${file} cannot be written (${code}).`
  return MISNAMED.has(code) ? new UsageError(message) : new WriteFailure(message)
}
