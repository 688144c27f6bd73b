// The container image, built without an engine and run as one would run it.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { IMAGE } from '../../deploy/image/image-config.ts'
import { findFreePort } from '../support/free-port.ts'
import { sendMcp } from '../support/mcp-requests.ts'
import { answerJson, startRecordingUpstream } from '../support/recording-upstream.ts'
import { startIssuer } from '../support/tokens.ts'
import { canBuild } from './support/machine.ts'
import { runContained } from './support/root-file-system.ts'

const root = resolve(import.meta.dirname, '../..')
const execute = promisify(execFile)
const MEBIBYTE = 2 ** 20

describe.skipIf(!canBuild())('the container image', () => {
  const folder = mkdtempSync(join(tmpdir(), 'image-'))
  const rootfs = join(folder, 'first/rootfs')
  const blob = (digest: string) => readFileSync(join(folder, 'first/oci/blobs/sha256', digest.replace('sha256:', '')))
  const readIndex = (name: string) => JSON.parse(readFileSync(join(folder, name, 'oci/index.json'), 'utf8'))

  async function build(name: string): Promise<void> {
    await execute(process.execPath, ['deploy/image/build.ts', join(folder, name)], { cwd: root })
  }

  beforeAll(() => build('first'), 400_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }), 300_000)

  it('has the same bytes when it is built again', { timeout: 400_000 }, async () => {
    await build('second')
    expect(readIndex('second').manifests[0].digest).toBe(readIndex('first').manifests[0].digest)
    rmSync(join(folder, 'second'), { recursive: true })
  })

  it('is an OCI layout, whose layers are small', () => {
    const manifest = JSON.parse(blob(readIndex('first').manifests[0].digest).toString())
    const sizes: number[] = manifest.layers.map(({ size }: { size: number }) => size)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(60 * MEBIBYTE)
    for (const { digest, size } of [manifest.config, ...manifest.layers]) {
      expect(`sha256:${createHash('sha256').update(blob(digest)).digest('hex')}`).toBe(digest)
      expect(blob(digest).length).toBe(size)
    }
    const { config } = JSON.parse(blob(manifest.config.digest).toString())
    expect(config).toMatchObject({ User: '65532:65532', Entrypoint: IMAGE.entrypoint, Cmd: IMAGE.command })
    expect(config.Healthcheck.Test).toEqual(['CMD', ...IMAGE.healthcheck])
  })

  it('has no shell, no package manager, and no file that others than root may write', async () => {
    for (const program of ['bin/sh', 'usr/bin/sh', 'bin/bash', 'usr/bin/apt', 'usr/bin/npm'])
      expect(existsSync(join(rootfs, program))).toBe(false)
    const { stdout } = await execute('find', [rootfs, '-perm', '/6022', '!', '-type', 'l', '!', '-path', `${rootfs}/tmp`])
    expect(stdout).toBe('')
    expect(readdirSync(join(rootfs, 'app'))).not.toContain('src')
  })

  it('serves calls read-only, as a user without rights, and ends with 0 after SIGTERM', { timeout: 120_000 }, async () => {
    const issuer = await startIssuer()
    const upstream = await startRecordingUpstream(answerJson({ jsonrpc: '2.0', id: 1, result: { tools: [] } }))
    const port = await findFreePort()
    const origin = `http://localhost:${port}`
    const file = join(folder, 'config.yaml')
    writeFileSync(
      file,
      `public_url: ${origin}\nlisten: { host: 0.0.0.0, port: 1 }\nissuers: [${issuer.issuer}]\nservers: [{ path: /mcp, upstream: "${upstream.origin}/mcp" }]\n`,
    )
    writeFileSync(join(rootfs, 'etc/open-mcp-auth-proxy/config.yaml'), '')
    const env = { OMAP_LISTEN__PORT: String(port) }
    const options = { env, mounts: { '/etc/open-mcp-auth-proxy/config.yaml': file } }
    const proxy = await runContained(rootfs, IMAGE, [...IMAGE.entrypoint, ...IMAGE.command], options)
    const ended = proxy.exit.then(() => Promise.reject(new Error(proxy.written.error)))
    // It ends later, when it is told to.
    ended.catch(() => undefined)
    await Promise.race([vi.waitUntil(() => proxy.written.error.includes('is listening on'), { timeout: 60_000 }), ended])

    const token = await issuer.mint({ claims: { aud: `${origin}/mcp` } })
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    const response = await sendMcp(`${origin}/mcp`, { body, headers: { authorization: `Bearer ${token}` } })
    expect([response.status, upstream.requests.length]).toEqual([200, 1])
    const status = readFileSync(`/proc/${proxy.pid}/status`, 'utf8')
    expect(status).toMatch(/^Uid:\t65532\t65532\t65532\t65532$/m)
    expect(status).toMatch(/^CapEff:\t0+$/m)
    expect(status).toMatch(/^NoNewPrivs:\t1$/m)
    expect(readFileSync(`/proc/${proxy.pid}/mountinfo`, 'utf8')).toMatch(/ \/ ro,/)

    const check = () => runContained(rootfs, IMAGE, IMAGE.healthcheck, { env }).then(({ exit }) => exit)
    expect(await check()).toBe(0)
    proxy.stop('SIGTERM')
    expect(await proxy.exit).toBe(0)
    expect(await check()).toBe(1)
    await Promise.all([issuer.close(), upstream.close()])
  })
})

describe('the Dockerfile', () => {
  const text = readFileSync(join(root, 'deploy/image/Dockerfile'), 'utf8')
  const [, last = ''] = text.split(/^FROM (?=gcr\.io)/m)
  const readList = (word: string) => JSON.parse(new RegExp(`^${word} (?:--.* CMD )?(\\[.*\\])$`, 'm').exec(last)?.[1] ?? 'null')

  it('runs what the image that is built without an engine runs', () => {
    expect(readList('ENTRYPOINT')).toEqual(IMAGE.entrypoint)
    expect(readList('CMD')).toEqual(IMAGE.command)
    expect(readList('HEALTHCHECK')).toEqual(IMAGE.healthcheck)
    expect(readList('VOLUME')).toEqual([IMAGE.state])
    expect(last).toContain(`\nUSER ${IMAGE.user}:${IMAGE.user}\n`)
    expect(last).toContain(`\nEXPOSE ${IMAGE.port}\n`)
  })
})
