import { describe, expect, it, vi } from 'vitest'
import { createLimiter } from './limiter.ts'

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
    const limiter = createLimiter(2, 10)
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
    const limiter = createLimiter(1, 1)
    const results = [limiter.run(task(1)), limiter.run(task(2))]
    await expect(limiter.run(task(3))).rejects.toThrow('waiting already')
    finish[0]?.()
    await vi.waitFor(() => expect(started).toEqual([1, 2]))
    finish[1]?.()
    expect(await Promise.all(results)).toEqual([1, 2])
  })

  it('goes on after a failure', async () => {
    const limiter = createLimiter(1, 1)
    await expect(limiter.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    expect(await limiter.run(async () => 1)).toBe(1)
  })
})
