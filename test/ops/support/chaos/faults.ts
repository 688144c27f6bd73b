import type { Dice } from '../../../support/dice.ts'
import { waitUntil } from '../../../support/processes.ts'
import type { ChaosStage } from './stage.ts'

/** Something that breaks, and is mended. */
export interface Fault {
  readonly name: string
  /** Whether connections may break: nothing but a process that ends without a word breaks any. */
  readonly breaks: boolean
  strike(): Promise<void>
  mend(): Promise<void>
}

const [ONE, TWO] = [0, 1] as const
const NAMES = ['one', 'two'] as const
/** Within what is tolerated between clocks, and far beyond. */
const SHIFTS_SECONDS = [-600, -90, -10, 10, 90, 600] as const

/**
 * Every kind of fault. The second replica is never ended, so that what it holds can be compared with what it held before.
 *
 * @param roll - decides about the clock
 */
export function listFaults(stage: ChaosStage, roll: Dice): readonly Fault[] {
  return [
    killReplica(stage),
    stopReplica(stage),
    ...[ONE, TWO].map((index) => hangReplica(stage, index)),
    ...[ONE, TWO].map((index) => cutOff(stage, index)),
    isolate(stage),
    cutOffFromRedis(stage),
    hangRedis(stage),
    killRedis(stage),
    fillDisk(stage),
    shiftClock(stage, roll),
  ]
}

const killReplica = ({ fleet }: ChaosStage): Fault => ({
  name: 'replica one is killed',
  breaks: true,
  strike: async () => {
    fleet.replicas[ONE]?.signal('SIGKILL')
    await fleet.replicas[ONE]?.exited
  },
  mend: () => fleet.revive(ONE),
})

const stopReplica = ({ fleet }: ChaosStage): Fault => ({
  name: 'replica one is stopped',
  breaks: false,
  strike: async () => {
    fleet.replicas[ONE]?.signal('SIGTERM')
    const code = (await fleet.replicas[ONE]?.exited)?.code
    if (code !== 0) throw new Error(`replica one ended with ${code}`)
  },
  mend: () => fleet.revive(ONE),
})

const hangReplica = ({ fleet }: ChaosStage, index: 0 | 1): Fault => ({
  name: `replica ${NAMES[index]} hangs`,
  breaks: false,
  strike: async () => fleet.replicas[index]?.signal('SIGSTOP'),
  mend: async () => fleet.replicas[index]?.signal('SIGCONT'),
})

const cutOff = ({ network }: ChaosStage, index: 0 | 1): Fault => ({
  name: `replica ${NAMES[index]} is cut off from the load balancer`,
  breaks: false,
  strike: async () => network.cutOff(index),
  mend: async () => network.reconnect(index),
})

const isolate = ({ network, storeLinks }: ChaosStage): Fault => ({
  name: 'replica one is cut off from the load balancer and from Redis',
  breaks: false,
  strike: async () => {
    network.cutOff(ONE)
    storeLinks[ONE]?.stall()
  },
  mend: async () => {
    network.reconnect(ONE)
    storeLinks[ONE]?.resume()
  },
})

const cutOffFromRedis = ({ storeLinks }: ChaosStage): Fault => ({
  name: 'replica two is cut off from Redis',
  breaks: false,
  strike: async () => storeLinks[TWO]?.stall(),
  mend: async () => storeLinks[TWO]?.resume(),
})

const hangRedis = ({ freezeRedis, thawRedis }: ChaosStage): Fault => ({
  name: 'Redis hangs',
  breaks: false,
  strike: async () => freezeRedis(),
  mend: async () => thawRedis(),
})

const killRedis = ({ killRedis: kill, reviveRedis }: ChaosStage): Fault => ({
  name: 'Redis is killed',
  breaks: false,
  strike: kill,
  mend: reviveRedis,
})

const fillDisk = ({ disk }: ChaosStage): Fault => ({
  name: 'the disk of the audit log of replica two is full',
  breaks: false,
  strike: async () => disk.fill(),
  mend: async () => disk.empty(),
})

const shiftClock = ({ shiftClock: shift }: ChaosStage, roll: Dice): Fault => {
  const seconds = SHIFTS_SECONDS[roll(SHIFTS_SECONDS.length)] ?? 0
  return {
    name: `the clock of replica two is ${seconds} s wrong`,
    breaks: false,
    strike: () => shift(TWO, seconds * 1000),
    mend: () => shift(TWO, 0),
  }
}

/** Waits until both replicas serve again, as the load balancer sees them. */
export async function waitUntilWell({ fleet }: ChaosStage): Promise<void> {
  for (const { origin } of fleet.replicas)
    await waitUntil(async () => (await fetch(`${origin}/readyz`).catch(() => undefined))?.status === 200, 'it is ready', 30_000)
}
