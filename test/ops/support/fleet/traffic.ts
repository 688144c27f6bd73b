import { Agent } from 'node:http'
import { createJournal, type Journal } from './journal.ts'
import type { Player } from './players.ts'
import type { Caller } from './requests.ts'

/** Users who do what they do until it is over. */
export interface Traffic {
  readonly journal: Journal
  /** Sends no more; resolves when every request has come to an end. */
  stop(): Promise<void>
}

export interface TrafficOptions {
  readonly origin: string
  readonly mint: (user: string, path: string) => Promise<string>
  /** What each user does, in turn. */
  readonly users: readonly (readonly Player[])[]
  /** Milliseconds of a user between two requests. */
  readonly pauseMs: number
}

/** Starts the users. Each has a token for each server, and connections of its own. */
export function startTraffic({ origin, mint, users, pauseMs }: TrafficOptions): Traffic {
  const journal = createJournal()
  let isOver = false
  const agents: Agent[] = []
  const play = async (players: readonly Player[], index: number): Promise<void> => {
    const agent = new Agent({ keepAlive: true })
    agents.push(agent)
    const user = `user-${index}`
    const tokens = new Map<string, Promise<string>>()
    const findToken = (path: string) => {
      const token = tokens.get(path) ?? mint(user, path)
      tokens.set(path, token)
      return token
    }
    const pause = () => new Promise((resolve) => setTimeout(resolve, pauseMs))
    const caller: Caller = { user, origin, agent, pause, findToken }
    for (let turn = index; !isOver; turn += 1) {
      await players[turn % players.length]?.(caller, journal, () => isOver)
      await pause()
    }
  }
  const playing = users.map(play)
  return {
    journal,
    async stop() {
      isOver = true
      await Promise.all(playing)
      for (const agent of agents) agent.destroy()
    },
  }
}
