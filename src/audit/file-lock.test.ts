import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileLockedError, lockFile, takeOver } from './file-lock.ts'

/** Far above what systems give to processes. */
const NO_PROCESS = 2 ** 30
const expired = { pid: NO_PROCESS, host: hostname(), id: 'expired' }
const elsewhere = { pid: 7, host: 'another-host', id: 'elsewhere' }
const own = { pid: process.pid, host: hostname(), id: 'own' }

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lock-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const path = () => join(folder, 'audit.jsonl')
const lockPath = () => `${path()}.lock`
const write = (text: string, ageSeconds = 0): void => {
  writeFileSync(lockPath(), text)
  const at = Date.now() / 1000 - ageSeconds
  utimesSync(lockPath(), at, at)
}
const read = (): unknown => JSON.parse(readFileSync(lockPath(), 'utf8'))

describe('a lock', () => {
  it.each([
    ['a process that is gone', JSON.stringify(expired), 0],
    ['another host, not renewed for long', JSON.stringify(elsewhere), 11],
    ['nobody: it was never written whole', '{"pid":', 11],
  ])('is taken over from %s, and released', async (_who, text, age) => {
    write(text, age)
    const lock = await lockFile(path())
    expect(read()).toMatchObject({ pid: process.pid })
    await lock.renew()
    await lock.release()
    expect(readdirSync(folder)).toEqual([])
  })

  it.each([
    ['another host renewed it', JSON.stringify(elsewhere), 'process 7 on another-host writes this file already'],
    ['another process has just made it and not written it yet', '', 'another process writes this file already'],
  ])('is left alone where %s', async (_why, text, message) => {
    write(text)
    await expect(lockFile(path())).rejects.toThrow(new FileLockedError(text === '' ? undefined : elsewhere))
    await expect(lockFile(path())).rejects.toThrow(message)
    expect(readFileSync(lockPath(), 'utf8')).toBe(text)
  })
})

describe('of two processes that find the same lock expired', () => {
  it('the second leaves the first the lock that it has made meanwhile', async () => {
    write(JSON.stringify(elsewhere), 11)
    await expect(takeOver(lockPath(), expired, own)).rejects.toThrow('process 7 on another-host')
    expect(read()).toEqual(elsewhere)
    expect(readdirSync(folder)).toEqual(['audit.jsonl.lock'])
  })

  it('the second waits while the first has moved it away', async () => {
    await expect(takeOver(lockPath(), expired, own)).rejects.toThrow(FileLockedError)
    expect(readdirSync(folder)).toEqual([])
  })
})

it('a holder that renews its lock in the last moment keeps it', async () => {
  write(JSON.stringify(elsewhere))
  await expect(takeOver(lockPath(), elsewhere, own)).rejects.toThrow(FileLockedError)
  expect(read()).toEqual(elsewhere)
})
