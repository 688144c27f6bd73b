// The container image, built without an engine and run as one would run it.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { IMAGE } from '../../deploy/image/image-config.ts'
import { sendMcp } from '../support/mcp-requests.ts'
import { childrenOf } from '../support/processes.ts'
import { withImage } from './support/image-stage.ts'
import { canBuild } from './support/machine.ts'
import { runContained } from './support/root-file-system.ts'

const root = resolve(import.meta.dirname, '../..')
const execute = promisify(execFile)
const MEBIBYTE = 2 ** 20
const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const OPEN = {
  ...LIST,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
}

/** Lets the young generation grow as far as it does where much survives, and prints how many bytes that were. */
const GROW = `
const { getHeapSpaceStatistics } = require('node:v8')
let most = 0
for (let round = 0; round < 100; round++) {
  const kept = Array.from({ length: 40_000 }, (_, index) => ({ index, round }))
  const { space_size: size } = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')
  most = Math.max(most, kept && size)
}
console.log(most)`

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
    expect(config.Env).toEqual(Object.entries(IMAGE.env).map(([name, value]) => `${name}=${value}`))
    expect(config.Healthcheck.Test).toEqual(['CMD', ...IMAGE.healthcheck])
  })

  it('has no shell, no package manager, and no file that others than root may write', async () => {
    for (const program of ['bin/sh', 'usr/bin/sh', 'bin/bash', 'usr/bin/apt', 'usr/bin/npm'])
      expect(existsSync(join(rootfs, program))).toBe(false)
    const { stdout } = await execute('find', [rootfs, '-perm', '/6022', '!', '-type', 'l', '!', '-path', `${rootfs}/tmp`])
    expect(stdout).toBe('')
    expect(readdirSync(join(rootfs, 'app'))).not.toContain('src')
  })

  it('serves calls read-only, as a user without rights, and ends with 0 after SIGTERM', { timeout: 120_000 }, () =>
    withImage(rootfs, folder, async ({ proxy, origin, upstream, env, authorize }) => {
      const response = await sendMcp(`${origin}/mcp`, { body: LIST, headers: await authorize('/mcp') })
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
    }),
  )

  it('takes memory from jemalloc, which MCP servers that it starts do not inherit', { timeout: 120_000 }, () =>
    withImage(rootfs, folder, async ({ proxy, origin, authorize }) => {
      expect(readMapped(proxy.pid)).toContain('libjemalloc.so.2')
      // This thread gives memory back: it is there where MALLOC_CONF is read.
      expect(listThreads(proxy.pid)).toContain('jemalloc_bg_thd')
      const leaving = new AbortController()
      const asked = sendMcp(`${origin}/program`, { body: OPEN, headers: await authorize('/program'), signal: leaving.signal })
      const child = await vi.waitUntil(() => childrenOf(proxy.pid).find(({ pid }) => isLoaded(pid)), { timeout: 60_000 })
      expect(readMapped(child.pid)).not.toContain('jemalloc')
      expect(readFileSync(`/proc/${child.pid}/environ`, 'utf8')).not.toMatch(/LD_|MALLOC|NODE_OPTIONS/)
      leaving.abort()
      await expect(asked).rejects.toThrow()
    }),
  )

  it('keeps the young generation small', { timeout: 120_000 }, async () => {
    const flags = IMAGE.entrypoint.slice(0, -1)
    const { exit, written } = await runContained(rootfs, IMAGE, [...flags, '--eval', GROW])
    expect(await exit).toBe(0)
    const grown = Number(written.output) / MEBIBYTE
    expect(grown).toBeGreaterThan(0)
    expect(grown).toBeLessThanOrEqual(32)
  })

  it('has the licence of each library', () => {
    for (const name of ['libc6', 'libgcc-s1', 'libjemalloc2', 'libstdc++6'])
      expect(existsSync(join(rootfs, 'usr/share/doc', name, 'copyright')), name).toBe(true)
  })
})

/** Whether the program of `image-stage.ts` runs, and not yet the copy of its parent that became it. */
const isLoaded = (pid: number) =>
  readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('process.stdin') && readMapped(pid).includes('libc.so.6')
const readMapped = (pid: number) => readFileSync(`/proc/${pid}/maps`, 'utf8')
const listThreads = (pid: number) =>
  readdirSync(`/proc/${pid}/task`).map((thread) => readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').trim())

describe('the Dockerfile', () => {
  const text = readFileSync(join(root, 'deploy/image/Dockerfile'), 'utf8')
  const [, last = ''] = text.split(/^FROM (?=gcr\.io)/m)
  const readList = (word: string) => JSON.parse(new RegExp(`^${word} (?:--.* CMD )?(\\[.*\\])$`, 'm').exec(last)?.[1] ?? 'null')

  it('runs what the image that is built without an engine runs', () => {
    expect(readList('ENTRYPOINT')).toEqual(IMAGE.entrypoint)
    expect(readList('CMD')).toEqual(IMAGE.command)
    expect(readList('HEALTHCHECK')).toEqual(IMAGE.healthcheck)
    const [, variables = ''] = /^ENV (.*)$/m.exec(last) ?? []
    expect(variables.split(' ')).toEqual(Object.entries(IMAGE.env).map(([name, value]) => `${name}=${value}`))
    expect(readList('VOLUME')).toEqual([IMAGE.state])
    expect(last).toContain(`\nUSER ${IMAGE.user}:${IMAGE.user}\n`)
    expect(last).toContain(`\nEXPOSE ${IMAGE.port}\n`)
  })
})
