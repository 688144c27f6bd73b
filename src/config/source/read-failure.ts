/** Why a file cannot be read. */
export type ReadFailure = 'missing' | 'directory' | 'forbidden' | 'not_utf8' | 'too_long' | 'other'

/** The file is longer than it may be. */
export class FileTooLongError extends Error {
  readonly code = 'ERR_FILE_TOO_LONG'

  constructor(maxBytes: number) {
    super(`longer than ${maxBytes} bytes`)
  }
}

const KINDS: Readonly<Record<string, ReadFailure>> = {
  ENOENT: 'missing',
  // A part of the path is a file.
  ENOTDIR: 'missing',
  EISDIR: 'directory',
  EACCES: 'forbidden',
  EPERM: 'forbidden',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'not_utf8',
  ERR_FILE_TOO_LONG: 'too_long',
}

const WORDS: Readonly<Partial<Record<ReadFailure, string>>> = {
  missing: 'no such file',
  directory: 'it is a directory',
  forbidden: 'permission denied',
  not_utf8: 'it is not text in UTF-8',
}

/** The kind of an error of the file system, or of a text that cannot be decoded. */
export function findReadFailure(error: unknown): ReadFailure {
  return KINDS[readCode(error) ?? ''] ?? 'other'
}

/** Why a file could not be read, in a few words. */
export function explainReadError(error: unknown): string {
  const kind = findReadFailure(error)
  if (kind === 'too_long' && error instanceof Error) return error.message
  return WORDS[kind] ?? readCode(error) ?? (error instanceof Error ? error.message : 'unknown reason')
}

function readCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
