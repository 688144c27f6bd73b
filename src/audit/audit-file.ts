import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import type { RotationPlan } from '../core/plan/audit-plan.ts'
import { type FileLock, lockFile } from './file-lock.ts'
import { type FileEnd, readFileEnd } from './line-ends.ts'

/** The file that records are appended to. Its methods throw the errors of the file system. */
export interface AuditFile {
  /** Opens the file, and removes a line that was never finished. Does nothing while it is open. */
  open(): Promise<void>
  /** Whether another file, or none, stands at the path by now. */
  wasMoved(): Promise<boolean>
  /** @returns the number of bytes that were written: not all of them where the disk is full */
  append(bytes: Buffer): Promise<number>
  /** Whether it is so long or so old that it is to be set aside. */
  isDue(): boolean
  /** Closes the file and gives it the name of a past one; the next `open` begins another. */
  setAside(): Promise<void>
  /** Closes the file under whatever name it has. */
  close(): Promise<void>
  release(): Promise<void>
  /** How the log ended when the process began: that of the last file set aside, where the current one is empty. */
  readonly past: FileEnd | undefined
  readonly isEmpty: boolean
}

export interface AuditFileOptions {
  readonly path: string
  readonly rotation: RotationPlan
  readonly clock: Clock
  /** Called when the end of a line that was never finished is removed, with the bytes of it. */
  readonly onHealed: (bytes: number) => void
}

interface Current {
  readonly handle: FileHandle
  size: number
  /** Milliseconds since the epoch. */
  beganAt: number
}

const MODE = 0o600

export function createAuditFile(options: AuditFileOptions): AuditFile {
  const { path, rotation, clock } = options
  let lock: FileLock | undefined
  let current: Current | undefined
  let past: FileEnd | undefined
  const need = (): Current => {
    if (current === undefined) throw new Error('the audit file is closed')
    return current
  }
  const closeCurrent = async (): Promise<void> => {
    const { handle } = need()
    current = undefined
    try {
      await syncFile(handle)
    } finally {
      await handle.close()
    }
  }
  return {
    async open() {
      if (lock === undefined) lock = await lockFile(path)
      else await lock.renew()
      if (current !== undefined) return
      const opened = await openFile(options)
      current = opened.current
      past ??= opened.end.lastLine === undefined ? await readLastSetAside(path) : opened.end
    },
    async wasMoved() {
      const [own, there] = await Promise.all([need().handle.stat(), stat(path).catch(() => undefined)])
      return there?.ino !== own.ino || there.dev !== own.dev
    },
    async append(bytes) {
      const file = need()
      const { bytesWritten } = await file.handle.write(bytes)
      file.size += bytesWritten
      return bytesWritten
    },
    isDue() {
      const { size, beganAt } = need()
      if (size === 0) return false
      return size >= rotation.bytes || clock.wall() - beganAt >= (rotation.seconds ?? Number.POSITIVE_INFINITY) * 1000
    },
    async setAside() {
      await closeCurrent()
      await rename(path, await nameFreely(path, clock.wall()))
      await removeOld(path, rotation.keep)
    },
    close: closeCurrent,
    async release() {
      try {
        if (current !== undefined) await closeCurrent()
      } finally {
        // The process ends: a lock that stays expires.
        await lock?.release().catch(() => undefined)
      }
    },
    get past() {
      return past
    },
    get isEmpty() {
      return need().size === 0
    },
  }
}

/** Some file systems know no `fsync`: then there is nothing to wait for. */
const UNSUPPORTED = ['EINVAL', 'ENOSYS', 'ENOTSUP']

/** @throws Error when records that were written may not be on the disk: a later `fsync` of the same file would no longer tell. */
async function syncFile(handle: Pick<FileHandle, 'sync'>): Promise<void> {
  try {
    await handle.sync()
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (!UNSUPPORTED.includes(code)) throw new Error(`its last records may not have reached the disk (${message})`)
  }
}

async function openFile({ path, clock, onHealed }: AuditFileOptions): Promise<{ current: Current; end: FileEnd }> {
  const handle = await open(path, 'a+', MODE)
  try {
    if (!(await handle.stat()).isFile()) throw new Error('it is not a file')
    const end = await readFileEnd(handle)
    if (end.wholeBytes < end.size) {
      await handle.truncate(end.wholeBytes)
      onHealed(end.size - end.wholeBytes)
    }
    return { current: { handle, size: end.wholeBytes, beganAt: readTime(end.firstLine) ?? clock.wall() }, end }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** When the first record of a file was written. */
function readTime(line: string | undefined): number | undefined {
  const [, time] = /"time":"([^"]{1,40})"/.exec(line ?? '') ?? []
  const at = Date.parse(time ?? '')
  return Number.isNaN(at) ? undefined : at
}

/** `audit.jsonl.20260728T101112.131Z`: the order of names is that of time. */
async function nameFreely(path: string, now: number): Promise<string> {
  const name = `${path}.${new Date(now).toISOString().replaceAll(/[-:]/g, '')}`
  for (let attempt = 0; ; attempt += 1) {
    const candidate = attempt === 0 ? name : `${name}-${attempt}`
    const isTaken = await stat(candidate).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    )
    if (!isTaken) return candidate
  }
}

/** Files that were set aside, the oldest first. */
async function listSetAside(path: string): Promise<string[]> {
  const prefix = `${basename(path)}.`
  const names = (await readdir(dirname(path))).filter((name) => name.startsWith(prefix))
  return names
    .filter((name) => /^\d{8}T\d{6}\.\d{3}Z(?:-\d+)?$/.test(name.slice(prefix.length)))
    .sort()
    .map((name) => join(dirname(path), name))
}

async function removeOld(path: string, keep: number | undefined): Promise<void> {
  if (keep === undefined) return
  const files = await listSetAside(path)
  for (const file of files.slice(0, Math.max(0, files.length - keep))) await rm(file, { force: true })
}

async function readLastSetAside(path: string): Promise<FileEnd | undefined> {
  const last = (await listSetAside(path)).at(-1)
  if (last === undefined) return undefined
  const handle = await open(last, 'r')
  try {
    return await readFileEnd(handle)
  } finally {
    await handle.close()
  }
}
