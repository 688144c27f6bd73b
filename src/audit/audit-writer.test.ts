import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { waitUntil } from '../../test/support/processes.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import type { AuditFile } from './audit-file.ts'
import { type AuditWriter, createAuditWriter } from './audit-writer.ts'

/** A disk that takes what a test lets it take. */
function createDisk() {
  const disk = { text: '', room: Number.POSITIVE_INFINITY, error: 'ENOSPC: no space left on device, write' }
  const file: AuditFile = {
    open: async () => undefined,
    wasMoved: async () => false,
    async append(bytes) {
      if (disk.room === 0) throw new Error(disk.error)
      const taken = Math.min(bytes.length, disk.room)
      disk.room -= taken
      disk.text += bytes.subarray(0, taken).toString()
      return taken
    },
    isDue: () => false,
    setAside: async () => undefined,
    close: async () => undefined,
    release: async () => undefined,
    past: undefined,
    isEmpty: true,
  }
  return { disk, file }
}

function open(changes: Partial<AuditFile> = {}, clock: Clock = systemClock) {
  const { disk, file } = createDisk()
  const issues: string[] = []
  const writer: AuditWriter = createAuditWriter({
    file: { ...file, ...changes },
    openChain: undefined,
    checkpointMs: 0,
    clock,
    consequence: 'Records wait.',
    onIssue: (message) => issues.push(message),
    onCheckpoint: () => undefined,
    formatLost: (records) => `{"lost":${records}}`,
  })
  return { disk, writer, issues }
}

describe('the writer of the audit log', () => {
  it('opens the file once at a time, also where the start takes longer than until the next look: one would find the lock of the other', async () => {
    const clock = createFakeClock()
    const disk = Promise.withResolvers<void>()
    let opening = 0
    const slowly = async () => {
      opening += 1
      if (opening > 1) throw new Error('this process writes this file already')
      await disk.promise
      opening -= 1
    }
    const { writer, issues } = open({ open: slowly }, clock)
    const started = writer.start()
    clock.advance(5000)
    disk.resolve()
    await started
    await writer.close()
    expect(issues).toEqual([])
  })

  it('goes on within a line where a full disk broke it off', async () => {
    const { disk, writer, issues } = open()
    disk.room = 7
    writer.add('{"a":1}')
    writer.add('{"b":2}')
    await waitUntil(() => writer.isDown(), 'an outage')
    expect(disk.text).toBe('{"a":1}')
    writer.add('{"c":3}')
    disk.room = Number.POSITIVE_INFINITY
    await waitUntil(() => !writer.isDown(), 'the end of the outage')
    await writer.close()
    expect(disk.text).toBe('{"a":1}\n{"b":2}\n{"c":3}\n')
    expect(issues).toEqual([expect.stringContaining('ENOSPC'), expect.stringContaining('lost meanwhile: 0')])
  })

  it('counts what does not fit into memory, says so twice, and leaves a record of it', async () => {
    const { disk, writer, issues } = open()
    disk.room = 0
    const long = JSON.stringify('x'.repeat(1024 * 1024))
    writer.add(long)
    await waitUntil(() => writer.isDown(), 'an outage')
    for (let count = 0; count < 20; count += 1) writer.add(long)
    const lost = writer.lost()
    expect(lost).toBeGreaterThan(3)
    disk.room = Number.POSITIVE_INFINITY
    await waitUntil(() => !writer.isDown(), 'the end of the outage')
    await writer.close()
    const lines = disk.text.trimEnd().split('\n')
    expect(lines).toHaveLength(21 - lost + 1)
    expect(lines.at(-1)).toBe(`{"lost":${lost}}`)
    expect(issues).toHaveLength(2)
  })

  it.each([
    ['the file cannot be synced at its end', { release: () => Promise.reject(new Error('EIO: i/o error, fsync')) }],
    ['the file cannot be opened any more', { open: () => Promise.reject(new Error('EIO: i/o error, fsync')) }],
  ])('stays out of order when it is closed and %s, and says so', async (_, changes) => {
    const { writer, issues } = open(changes)
    await writer.close()
    expect(writer.isDown()).toBe(true)
    expect(issues).toEqual([expect.stringContaining('EIO'), expect.stringContaining('The process ends while')])
  })

  it('writes everything before it closes, in the order in which it came', async () => {
    const { disk, writer } = open()
    const lines = Array.from({ length: 10_000 }, (_, index) => `{"n":${index}}`)
    for (const line of lines) writer.add(line)
    await writer.close()
    expect(disk.text).toBe(`${lines.join('\n')}\n`)
  })
})
