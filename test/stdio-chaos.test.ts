import { afterEach, describe, expect, it } from 'vitest'
import { createDice } from './support/dice.ts'
import { openStdioGate, type StdioGate, scripted } from './support/gate.ts'
import { startGateProcess } from './support/gate-process.ts'
import {
  callModern,
  createToolCall,
  type LegacySession,
  type Message,
  openSession,
  readMessages,
  textOf,
} from './support/mcp-requests.ts'
import { isRunning, listProcesses, waitUntil } from './support/processes.ts'

/** What became of the requests. Lost are those of which nothing was heard at all. */
interface Tally {
  answered: number
  /** An error with the request's id, a refusal with a status, or a connection that broke: whoever asked knows. */
  failed: number
  duplicated: number
  mixed: number
  lost: number
}

const createTally = (): Tally => ({ answered: 0, failed: 0, duplicated: 0, mixed: 0, lost: 0 })

async function count(tally: Tally, expected: string, id: string, asking: Promise<Response>): Promise<void> {
  let messages: Message[]
  try {
    messages = await readMessages(await asking)
  } catch {
    tally.failed++
    return
  }
  const answers = messages.filter(({ method }) => method === undefined)
  if (answers.length === 0) tally.lost++
  if (answers.length > 1) tally.duplicated++
  for (const answer of answers.slice(0, 1)) {
    if (answer.id !== id) tally.mixed++
    else if (answer.error !== undefined) tally.failed++
    else if (textOf(answer) === expected) tally.answered++
    else tally.mixed++
  }
}

let gate: StdioGate | undefined
afterEach(async () => {
  await gate?.close()
  gate = undefined
})

/** Clients ask, each with the ids of all others; now and then their child is killed. */
async function storm(origin: string, roll: (sides: number) => number, rounds: number, pids: () => number[]): Promise<Tally> {
  const tally = createTally()
  const client = async (index: number): Promise<void> => {
    let session: LegacySession | undefined
    for (let round = 0; round < rounds; round++) {
      const expected = `${index}-${round}`
      const id = `r${round}`
      if (index % 2 === 0) {
        await count(tally, expected, id, callModern(origin, 'echo', { text: expected }, { user: `u${index}`, id }))
        continue
      }
      try {
        session ??= await openSession(origin, { user: `u${index}` })
        if (session.id === '') throw new Error('refused')
      } catch {
        session = undefined
        tally.failed++
        continue
      }
      const before = tally.failed
      await count(tally, expected, id, session.post(createToolCall('echo', { text: expected }, undefined, id)))
      if (tally.failed > before) session = undefined
    }
  }
  let isOver = false
  const killer = async (): Promise<void> => {
    while (!isOver) {
      await new Promise((resolve) => setTimeout(resolve, 20 + roll(60)))
      const all = pids()
      const pid = all[roll(Math.max(1, all.length))]
      if (pid !== undefined && isRunning(pid)) process.kill(pid, roll(2) === 0 ? 'SIGKILL' : 'SIGTERM')
    }
  }
  const killing = killer()
  await Promise.all(Array.from({ length: 12 }, (_, index) => client(index)))
  isOver = true
  await killing
  return tally
}

const childrenOf = (parent: number) => {
  const children = listProcesses().filter((one) => one.parent === parent)
  // The watchdog is a shell: it is no child that answers.
  return children.filter(({ group, pid, state }) => group === pid && state !== 'Z').map(({ pid }) => pid)
}

describe.each(['session', 'shared'] as const)('children that are killed at random under load (a child per %s)', (processPer) => {
  it('take no answer with them silently, and mix none up', async () => {
    gate = await openStdioGate({ command: scripted, env: { ERA: 'both' }, processPer, maxProcesses: 40 })
    const rounds = 40
    const tally = await storm(gate.origin, createDice(processPer), rounds, () => childrenOf(process.pid))
    expect(tally).toMatchObject({ duplicated: 0, mixed: 0, lost: 0 })
    expect(tally.answered + tally.failed).toBe(12 * rounds)
    expect(tally.answered).toBeGreaterThan(0)
  })
})

describe('a proxy that is killed at random under load', () => {
  it('leaves no child, and every request knows', async () => {
    const roll = createDice('proxy')
    for (let i = 0; i < 3; i++) {
      const proxy = await startGateProcess({ command: scripted, env: { ERA: 'both', IGNORE_EOF: '1' }, maxProcesses: 40 })
      const pids = new Set<number>()
      const tally = createTally()
      const asking = Array.from({ length: 8 }, async (_, index) => {
        for (let round = 0; round < 30; round++) {
          const text = `${index}-${round}`
          await count(tally, text, 'id', callModern(proxy.origin, 'echo', { text }, { user: `u${index}`, id: 'id' }))
        }
      })
      await waitUntil(() => tally.answered > 10 + roll(60), 'calls are answered')
      for (const pid of childrenOf(proxy.pid)) pids.add(pid)
      await proxy.kill('SIGKILL')
      await Promise.all(asking)
      expect(tally).toMatchObject({ duplicated: 0, mixed: 0, lost: 0 })
      expect(tally.answered + tally.failed).toBe(8 * 30)
      expect(pids.size).toBeGreaterThan(0)
      await waitUntil(() => [...pids].every((pid) => !isRunning(pid)), 'the children end')
    }
  })
})
