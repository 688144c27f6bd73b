import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../core/clock.ts'
import { createAuditFile } from './audit-file.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-file-'))
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true })
})

/** A disk that fails when it is to have written what it took. */
async function breakSync(code: string): Promise<void> {
  const handle = await open(folder, 'r')
  const prototype = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  vi.spyOn(prototype, 'sync').mockRejectedValue(Object.assign(new Error(`${code}: fsync`), { code }))
}

async function writeOne() {
  const path = join(folder, 'audit.jsonl')
  const file = createAuditFile({
    path,
    rotation: { bytes: 1_000_000, seconds: undefined, keep: undefined },
    clock: systemClock,
    onHealed: () => undefined,
  })
  await file.open()
  await file.append(Buffer.from('{}\n'))
  return { file, path }
}

describe('the file of the audit log', () => {
  it.each(['setAside', 'close', 'release'] as const)('tells at %s that the disk may not have its last records', async (leave) => {
    const { file } = await writeOne()
    await breakSync('EIO')
    await expect(file[leave]()).rejects.toThrow('its last records may not have reached the disk (EIO: fsync)')
    vi.restoreAllMocks()
    await file.release()
  })

  it('is set aside by the next attempt', async () => {
    const { file, path } = await writeOne()
    await breakSync('EIO')
    await expect(file.setAside()).rejects.toThrow('EIO')
    vi.restoreAllMocks()
    await file.open()
    await file.setAside()
    expect(() => readFileSync(path)).toThrow('ENOENT')
    await file.release()
  })

  it.each(['EINVAL', 'ENOTSUP', 'ENOSYS'])('is closed in silence on a file system that cannot sync (%s)', async (code) => {
    const { file } = await writeOne()
    await breakSync(code)
    await expect(file.release()).resolves.toBeUndefined()
  })
})
