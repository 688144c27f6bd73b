import { readFileSync, readlinkSync } from 'node:fs'

/** A socket that listens already, opened by systemd or another supervisor. */
export interface PassedSocket {
  readonly descriptor: number
  readonly port: number
}

/** Sockets in place of those that the configuration would open. */
export interface PassedSockets {
  readonly listen?: PassedSocket
  readonly admin?: PassedSocket
  /** What the operator should know. */
  readonly notice?: string
}

/** The first descriptor that is passed (sd_listen_fds(3), SD_LISTEN_FDS_START). */
const FIRST = 3
/** More are a mistake. */
const MAX_SOCKETS = 64

/**
 * Finds the sockets of socket activation (sd_listen_fds(3)).
 *
 * @param findPort - of a descriptor that listens for TCP; undefined for any other
 * @throws Error that says what is wrong with them
 */
export function findPassedSockets(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
  findPort = findListeningPort,
): PassedSockets {
  const { LISTEN_PID: owner, LISTEN_FDS: count } = env
  if (owner === undefined || count === undefined) return {}
  // The variables of a process before us, as the protocol has it. More often a program that starts us stands in between.
  if (owner !== String(pid)) return { notice: explainOwner(owner, pid) }
  const names = readNames(count, env.LISTEN_FDNAMES)
  const sockets = names.map((name, index) => {
    const descriptor = FIRST + index
    const port = findPort(descriptor)
    if (port === undefined)
      throw new Error(`descriptor ${descriptor} of socket activation is no TCP socket that listens. ${TCP_HINT}`)
    return { name, descriptor, port }
  })
  return assign(sockets)
}

const TCP_HINT = 'Write a port or an address with a port in ListenStream= of the socket unit, with Accept=no.'

function explainOwner(owner: string, pid: number): string {
  return `LISTEN_PID: the sockets of systemd are for process ${owner}, and this one is ${pid}, so they are not used. Have ExecStart= start node itself, without npx, npm or a shell in between.`
}

/** @returns a name for each socket; empty where there is none */
function readNames(count: string, names: string | undefined): readonly string[] {
  const number = /^[1-9]\d*$/.test(count) ? Number(count) : 0
  if (number === 0 || number > MAX_SOCKETS)
    throw new Error(`LISTEN_FDS of socket activation is ${JSON.stringify(count)}, and no number of sockets.`)
  if (names === undefined) return Array.from({ length: number }, () => '')
  const all = names.split(':')
  if (all.length !== number)
    throw new Error(`LISTEN_FDNAMES of socket activation names ${all.length} sockets, and LISTEN_FDS says ${number}.`)
  return all
}

interface NamedSocket extends PassedSocket {
  readonly name: string
}

/** One socket alone is for clients, unless its name says otherwise: systemd names it after its unit. */
function assign(sockets: readonly NamedSocket[]): PassedSockets {
  const [only] = sockets
  if (only !== undefined && sockets.length === 1) return only.name === 'admin' ? { admin: only } : { listen: only }
  const byName = new Map(sockets.map((socket) => [socket.name, socket]))
  const [listen, admin] = [byName.get('listen'), byName.get('admin')]
  if (listen === undefined || admin === undefined || sockets.length !== 2) throw new Error(explainNames(sockets))
  return { listen, admin }
}

function explainNames(sockets: readonly NamedSocket[]): string {
  const names = sockets.map(({ name }) => JSON.stringify(name)).join(', ')
  return `the sockets of socket activation are named ${names}. Two are taken: write FileDescriptorName=listen in the socket unit for clients, and FileDescriptorName=admin in the one for operators. For IPv4 and IPv6, one with ListenStream=[::]:PORT is enough.`
}

/** `st` of /proc/net/tcp: TCP_LISTEN. */
const LISTENING = '0A'

/** @returns the port on which a descriptor of this process listens for TCP; undefined if it doesn't */
export function findListeningPort(descriptor: number): number | undefined {
  const inode = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/self/fd/${descriptor}`))?.[1]
  if (inode === undefined) return undefined
  for (const table of ['/proc/self/net/tcp', '/proc/self/net/tcp6']) {
    for (const line of readText(table).split('\n')) {
      const [, local = '', , state, , , , , , found] = line.trim().split(/\s+/)
      if (found === inode && state === LISTENING) return Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16)
    }
  }
  return undefined
}

/** A descriptor that is not open has no link. */
function readLink(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** Without IPv6 there is no table of it. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
