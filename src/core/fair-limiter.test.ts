import { describe, expect, it, vi } from 'vitest'
import { createFairLimiter } from './fair-limiter.ts'

/** Tasks that end when they are told to. */
function createTasks() {
  const started: number[] = []
  const finish: (() => void)[] = []
  const task = (id: number) => () => {
    started.push(id)
    return new Promise<number>((resolve) => finish.push(() => resolve(id)))
  }
  return { started, finish, task }
}

describe('a limiter', () => {
  it('runs so many at once, the others in the order of their coming', async () => {
    const { started, finish, task } = createTasks()
    const limiter = createFairLimiter(2, 10)
    const results = [1, 2, 3, 4].map((id) => limiter.run(task(id)))
    await vi.waitFor(() => expect(started).toEqual([1, 2]))
    finish[0]?.()
    await vi.waitFor(() => expect(started).toEqual([1, 2, 3]))
    finish[2]?.()
    await vi.waitFor(() => expect(started).toEqual([1, 2, 3, 4]))
    for (const end of finish) end()
    expect(await Promise.all(results)).toEqual([1, 2, 3, 4])
  })

  it('refuses those who would wait too long', async () => {
    const { started, finish, task } = createTasks()
    const limiter = createFairLimiter(1, 1)
    const results = [limiter.run(task(1)), limiter.run(task(2))]
    await expect(limiter.run(task(3))).rejects.toThrow('waiting already')
    finish[0]?.()
    await vi.waitFor(() => expect(started).toEqual([1, 2]))
    finish[1]?.()
    expect(await Promise.all(results)).toEqual([1, 2])
  })

  it('lets askers take turns, so that a flood of one holds up itself', async () => {
    const { started, finish, task } = createTasks()
    const limiter = createFairLimiter(1, 1000)
    for (let id = 0; id < 500; id++) void limiter.run(task(id), 'flood')
    void limiter.run(task(1000), 'a')
    void limiter.run(task(1001), 'b')
    for (let ended = 0; ended < 4; ended++) {
      await vi.waitFor(() => expect(finish).toHaveLength(ended + 1))
      finish[ended]?.()
    }
    await vi.waitFor(() => expect(started).toEqual([0, 1, 1000, 1001, 2]))
  })

  it('runs first what belongs to no client network', async () => {
    const { started, finish, task } = createTasks()
    const limiter = createFairLimiter(1, 10)
    for (const id of [1, 2, 3]) void limiter.run(task(id), 'flood')
    void limiter.run(task(4))
    await vi.waitFor(() => expect(started).toEqual([1]))
    finish[0]?.()
    await vi.waitFor(() => expect(started).toEqual([1, 4]))
  })

  it('makes room for others by refusing the last task of the owner with the most waiting', async () => {
    const { started, finish, task } = createTasks()
    const limiter = createFairLimiter(1, 3)
    const flood = [1, 2, 3, 4].map((id) => limiter.run(task(id), 'flood'))
    const other = limiter.run(task(5), 'a')
    await expect(flood[3]).rejects.toThrow('most of them of the same client network')
    await expect(limiter.run(task(6), 'flood')).rejects.toThrow('waiting already')
    const first = limiter.run(task(7))
    await expect(flood[2]).rejects.toThrow('waiting already')
    for (const [ended, id] of [1, 7, 2, 5].entries()) {
      await vi.waitFor(() => expect(started[ended]).toBe(id))
      finish[ended]?.()
    }
    expect(await Promise.all([flood[0], flood[1], other, first])).toEqual([1, 2, 5, 7])
  })

  it('goes on after a failure', async () => {
    const limiter = createFairLimiter(1, 1)
    await expect(limiter.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    expect(await limiter.run(async () => 1)).toBe(1)
  })
})
