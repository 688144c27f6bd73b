import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { vi } from 'vitest'
import { IMAGE } from '../../../deploy/image/image-config.ts'
import { findFreePort } from '../../support/free-port.ts'
import { answerJson, type RecordingUpstream, startRecordingUpstream } from '../../support/recording-upstream.ts'
import { startIssuer } from '../../support/tokens.ts'
import { type Contained, runContained } from './root-file-system.ts'

/** The image as an engine runs it, with an issuer and an MCP server at `/mcp`; `/program` is a program that never answers. */
export interface ImageStage {
  readonly proxy: Contained
  readonly origin: string
  readonly upstream: RecordingUpstream
  /** Variables that the container was given. */
  readonly env: Readonly<Record<string, string>>
  /** Header fields of a caller of the server at this path. */
  authorize(path: string): Promise<{ authorization: string }>
}

/**
 * Starts the image's own command in its root file system, and stops it after use.
 *
 * @param folder - for the configuration file
 * @throws Error with what the process wrote, when it ends before it listens
 */
export async function withImage(rootfs: string, folder: string, use: (stage: ImageStage) => Promise<void>): Promise<void> {
  const issuer = await startIssuer()
  const upstream = await startRecordingUpstream(answerJson({ jsonrpc: '2.0', id: 1, result: { tools: [] } }))
  const port = await findFreePort()
  const origin = `http://localhost:${port}`
  const env = { OMAP_LISTEN__PORT: String(port) }
  const config = writeConfig(rootfs, folder, { origin, issuer: issuer.issuer, upstream: `${upstream.origin}/mcp` })
  const options = { env, mounts: { [CONFIG]: config } }
  const proxy = await runContained(rootfs, IMAGE, [...IMAGE.entrypoint, ...IMAGE.command], options)
  const authorize = async (path: string) => ({
    authorization: `Bearer ${await issuer.mint({ claims: { aud: `${origin}${path}` } })}`,
  })
  try {
    await waitUntilListening(proxy)
    await use({ proxy, origin, upstream, env, authorize })
  } finally {
    proxy.stop('SIGTERM')
    await Promise.all([proxy.exit, issuer.close(), upstream.close()])
  }
}

const CONFIG = '/etc/open-mcp-auth-proxy/config.yaml'

interface Places {
  readonly origin: string
  readonly issuer: string
  readonly upstream: string
}

function writeConfig(rootfs: string, folder: string, { origin, issuer, upstream }: Places): string {
  const file = join(folder, 'config.yaml')
  const silent = ['/usr/bin/node', '--eval', 'process.stdin.resume()']
  const servers = [
    { path: '/mcp', upstream },
    { path: '/program', upstream: { command: silent } },
  ]
  // YAML 1.2 contains JSON. Port 1 could not be taken: the variable counts.
  writeFileSync(file, JSON.stringify({ public_url: origin, listen: { host: '0.0.0.0', port: 1 }, issuers: [issuer], servers }))
  writeFileSync(join(rootfs, CONFIG), '')
  return file
}

async function waitUntilListening(proxy: Contained): Promise<void> {
  const ended = proxy.exit.then(() => Promise.reject(new Error(proxy.written.error)))
  // It ends later, when it is told to.
  ended.catch(() => undefined)
  await Promise.race([vi.waitUntil(() => proxy.written.error.includes('is listening on'), { timeout: 60_000 }), ended])
}
