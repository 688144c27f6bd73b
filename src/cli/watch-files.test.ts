import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createFakeClock, type FakeClock } from '../../test/support/fake-clock.ts'
import { watchFiles } from './watch-files.ts'

let folder: string
let clock: FakeClock
let stop: () => void
const onChange = vi.fn()
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'watch-'))
  clock = createFakeClock()
  onChange.mockClear()
})
afterEach(() => {
  stop()
  expect(clock.pending).toBe(0)
  rmSync(folder, { recursive: true })
})

const at = (name: string): string => join(folder, name)

/** A look has ended: the next one is planned. */
const waitForLook = () => expect.poll(() => clock.pending).toBe(1)

/** A second passes, and the files are looked at. */
async function look(): Promise<void> {
  clock.advance(1000)
  await waitForLook()
}

async function watch(...names: string[]): Promise<void> {
  stop = watchFiles({ list: () => names.map(at), clock, onChange })
  await waitForLook()
}

describe('watched files', () => {
  it('that stay as they are change nothing', async () => {
    writeFileSync(at('a'), '1')
    await watch('a', 'missing')
    for (let second = 0; second < 5; second += 1) await look()
    expect(onChange).not.toHaveBeenCalled()
  })

  it('are told of when they have stayed the same for a second after they changed', async () => {
    writeFileSync(at('a'), '1')
    await watch('a')
    writeFileSync(at('a'), 'half of')
    await look()
    writeFileSync(at('a'), 'half of it and the rest')
    await look()
    expect(onChange).not.toHaveBeenCalled()
    await look()
    expect(onChange).toHaveBeenCalledOnce()
    for (let second = 0; second < 3; second += 1) await look()
    expect(onChange).toHaveBeenCalledOnce()
  })

  it('are told of when an editor renames a new one over them', async () => {
    writeFileSync(at('a'), '1')
    await watch('a')
    writeFileSync(at('.a.swp'), '2')
    renameSync(at('.a.swp'), at('a'))
    await look()
    await look()
    expect(onChange).toHaveBeenCalledOnce()
  })

  it('are told of when the link of a mounted ConfigMap is turned over', async () => {
    for (const [version, text] of [
      ['..1', 'one'],
      ['..2', 'two'],
    ] as const) {
      mkdirSync(at(version))
      writeFileSync(at(`${version}/config.yaml`), text)
    }
    symlinkSync('..1', at('..data'))
    symlinkSync('..data/config.yaml', at('config.yaml'))
    await watch('config.yaml')
    symlinkSync('..2', at('..data_tmp'))
    renameSync(at('..data_tmp'), at('..data'))
    await look()
    await look()
    expect(onChange).toHaveBeenCalledOnce()
  })
})
