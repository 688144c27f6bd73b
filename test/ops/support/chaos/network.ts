import { execFileSync } from 'node:child_process'

/**
 * A network namespace of its own for the load balancer, with a link to each replica and one to its clients, so that a replica can be cut off from it: nothing
 * arrives any more, nothing is refused, and links stay up.
 */
export interface Network {
  /** Runs a command in the namespace. */
  readonly through: readonly string[]
  /** By which addresses the load balancer reaches the replicas. */
  readonly hosts: readonly string[]
  /** By which address clients reach the load balancer. */
  readonly front: string
  cutOff(replica: number): void
  reconnect(replica: number): void
  close(): void
}

/** Links: to the first and second replica, and to clients. */
const LINKS = [0, 1, 2] as const

const run = (command: string): void => {
  const [program = '', ...parameters] = command.split(' ')
  execFileSync(program, parameters, { stdio: 'pipe' })
}

/** Whether this user may make network namespaces. Under CI nothing may be skipped. */
export function canMakeNetworks(): boolean {
  try {
    run('ip netns add chaos-probe')
    run('ip netns del chaos-probe')
    return true
  } catch (error) {
    if (process.env.CI) throw error
    console.warn('skipped: this user may make no network namespace, or `ip` is not installed')
    return false
  }
}

export function openNetwork(): Network {
  const name = `chaos${process.pid % 100_000}`
  // One of 250 networks for each process, so that two runs can be side by side.
  const outside = (link: number) => `10.217.${process.pid % 250}.${4 * link + 1}`
  const inside = (link: number) => `10.217.${process.pid % 250}.${4 * link + 2}`
  const device = (link: number) => `${name}-${link}`
  run(`ip netns add ${name}`)
  run(`ip -n ${name} link set lo up`)
  for (const link of LINKS) {
    run(`ip link add ${device(link)} type veth peer name link${link} netns ${name}`)
    run(`ip addr add ${outside(link)}/30 dev ${device(link)}`)
    run(`ip link set ${device(link)} up`)
    run(`ip -n ${name} addr add ${inside(link)}/30 dev link${link}`)
    run(`ip -n ${name} link set link${link} up`)
  }
  return {
    through: ['ip', 'netns', 'exec', name],
    hosts: [outside(0), outside(1)],
    front: inside(2),
    // Frames go to an address that no device has.
    cutOff(replica) {
      run(`ip -n ${name} neigh replace ${outside(replica)} lladdr 02:00:00:00:00:01 dev link${replica} nud permanent`)
      run(`ip neigh replace ${inside(replica)} lladdr 02:00:00:00:00:02 dev ${device(replica)} nud permanent`)
    },
    reconnect(replica) {
      run(`ip -n ${name} neigh del ${outside(replica)} dev link${replica}`)
      run(`ip neigh del ${inside(replica)} dev ${device(replica)}`)
    },
    close: () => run(`ip netns del ${name}`),
  }
}
