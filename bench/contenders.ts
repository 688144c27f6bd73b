import { createPublicKey } from 'node:crypto'
import { existsSync } from 'node:fs'
import { startIssuer, type TestIssuer } from '../test/support/tokens.ts'
import { type Child, startChild } from './child.ts'
import { createLogSink } from './log-sink.ts'
import { command } from './peers/command.ts'
import { envoy } from './peers/envoy.ts'
import { haproxy } from './peers/haproxy.ts'
import { nginx } from './peers/nginx.ts'
import { checkRefusal, type PeerKind, type PeerTrust, startPeer } from './peers/peer.ts'
import { audience } from './plan.ts'
import { mintTokens } from './workload.ts'

/** What is compared, in front of the same upstream. */
export interface Contenders {
  readonly upstream: Child
  readonly passThrough: Child
  readonly proxy: Child
  /** Proxies of others that the machine has: `HAProxy`, `Envoy`, `nginx (no token)`. */
  readonly peers: readonly Child[]
  /** The proxy once more, as users install it: for its memory. */
  readonly installed: Child
  /** All that are compared in processor time. */
  readonly all: readonly Child[]
  readonly tokens: readonly string[]
}

/** Starts new processes, and ends them after what is done with them. Says which proxies of others are not installed. */
export async function withContenders(tokenCount: number, use: (contenders: Contenders) => Promise<void>): Promise<void> {
  if (!existsSync(new URL('../dist/app.js', import.meta.url))) throw new Error('build first: npm run build')
  const issuer = await startIssuer({ audience })
  const tokens = await mintTokens(issuer, tokenCount)
  const log = createLogSink()
  const started: Child[] = []
  const keep = (child: Child): Child => {
    started.push(child)
    return child
  }
  try {
    const upstream = keep(await startChild('upstream.ts'))
    const argument = { upstreamPort: upstream.port, issuer: issuer.issuer }
    const passThrough = keep({ ...(await startChild('pass-through.ts', { argument })), name: 'pass-through' })
    const proxy = keep({ ...(await startChild('proxy.ts', { argument, output: log.descriptor })), name: 'proxy' })
    const trust = createTrust(issuer, upstream.port)
    const peers = await startPeers([haproxy, envoy, nginx], trust, tokens[0] ?? '', keep)
    const [installed = proxy] = await startPeers([command], trust, tokens[0] ?? '', keep)
    await use({ upstream, passThrough, proxy, peers, installed, all: [passThrough, proxy, ...peers], tokens })
  } finally {
    await Promise.all(started.map((child) => child.stop()))
    log.remove()
    await issuer.close()
  }
}

async function startPeers(
  kinds: readonly PeerKind[],
  trust: PeerTrust,
  token: string,
  keep: (child: Child) => Child,
): Promise<Child[]> {
  const peers: Child[] = []
  for (const kind of kinds) {
    const peer = await startPeer(kind, trust)
    if (peer === undefined) {
      console.log(`${kind.name} is not installed: left out`)
      continue
    }
    peers.push(keep(peer))
    if (kind.verifies) await checkRefusal(peer, token)
  }
  return peers
}

function createTrust({ issuer, signingKey }: TestIssuer, upstreamPort: number): PeerTrust {
  const { publicJwk } = signingKey
  const publicKey = createPublicKey({ key: publicJwk, format: 'jwk' }).export({ format: 'pem', type: 'spki' }).toString()
  return { upstreamPort, issuer, audience, publicKey, keySet: JSON.stringify({ keys: [publicJwk] }) }
}
