import { write } from 'node:fs'
import type { AuditFile } from './audit-file.ts'

/** File descriptor. */
const STANDARD_OUTPUT = 1

/** Writes records to standard output. Its reader keeps them. */
export function createStandardOutput(): AuditFile {
  return {
    open: async () => undefined,
    wasMoved: async () => false,
    append: (bytes) =>
      new Promise((resolve, reject) => {
        write(STANDARD_OUTPUT, bytes, (error, written) => {
          if (!error) resolve(written)
          // A full pipe: its reader is slow.
          else if (error.code === 'EAGAIN' || error.code === 'EINTR') resolve(0)
          else reject(error)
        })
      }),
    isDue: () => false,
    setAside: async () => undefined,
    close: async () => undefined,
    release: async () => undefined,
    past: undefined,
    isEmpty: true,
  }
}
