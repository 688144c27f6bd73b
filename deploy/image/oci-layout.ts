import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { IMAGE } from './image-config.ts'

/** A layer of an image, packed: the same files make the same bytes. */
export interface Layer {
  readonly name: string
  readonly file: string
  /** Bytes, compressed. */
  readonly size: number
  readonly digest: string
  /** Digest of what is compressed, as the image's configuration names it. */
  readonly diffId: string
}

interface Packing {
  readonly to: string
  /** Seconds since the epoch: the time of every file. */
  readonly epoch: number
  readonly owner: number
  /** Absolute paths of folders that the owner owns; root owns the rest. */
  readonly owned: readonly string[]
}

export function createLayer(name: string, folder: string, { to, epoch, owner, owned }: Packing): Layer {
  mkdirSync(to, { recursive: true })
  const tar = join(to, `${name}.tar`)
  const own = owned.map((path) => `.${path}`)
  const same = ['--sort=name', `--mtime=@${epoch}`, '--numeric-owner', '--format=gnu', '-C', folder]
  execFileSync('tar', ['-cf', tar, ...same, '--owner=0', '--group=0', ...own.map((path) => `--exclude=${path}`), '.'])
  if (own.length > 0) execFileSync('tar', ['-rf', tar, ...same, `--owner=${owner}`, `--group=${owner}`, ...own])
  const diffId = hash(readFileSync(tar))
  execFileSync('gzip', ['-n', '-f', tar])
  const file = `${tar}.gz`
  return { name, file, size: statSync(file).size, digest: hash(readFileSync(file)), diffId }
}

interface ImageFacts {
  readonly created: string
  readonly architecture: string
  readonly version: string
  readonly image: typeof IMAGE
}

const SECOND = 1_000_000_000

/**
 * Writes an image as an OCI layout (image-layout.md of the OCI image specification 1.1).
 *
 * @returns the digest of the manifest
 */
export function writeLayout(folder: string, layers: readonly Layer[], facts: ImageFacts): string {
  const blobs = join(folder, 'blobs/sha256')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(blobs, { recursive: true })
  for (const { file, digest } of layers) renameSync(file, join(blobs, digest))
  const write = (value: unknown): { digest: string; size: number } => {
    const text = JSON.stringify(value)
    const digest = hash(Buffer.from(text))
    writeFileSync(join(blobs, digest), text)
    return { digest: `sha256:${digest}`, size: Buffer.byteLength(text) }
  }
  const config = write(createConfig(layers, facts))
  const manifest = write({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: layers.map(({ digest, size }) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: `sha256:${digest}`,
      size,
    })),
  })
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  const reference = { 'org.opencontainers.image.ref.name': facts.version }
  const named = { 'io.containerd.image.name': `open-mcp-auth-proxy:${facts.version}`, ...reference }
  const entry = { mediaType: 'application/vnd.oci.image.manifest.v1+json', ...manifest, annotations: named }
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }))
  return manifest.digest.replace('sha256:', '')
}

function createConfig(layers: readonly Layer[], { created, architecture, version, image }: ImageFacts): object {
  return {
    created,
    architecture,
    os: 'linux',
    config: {
      User: `${image.user}:${image.user}`,
      ExposedPorts: { [`${image.port}/tcp`]: {} },
      Env: Object.entries(image.env).map(([name, value]) => `${name}=${value}`),
      Entrypoint: image.entrypoint,
      Cmd: image.command,
      Volumes: { [image.state]: {} },
      WorkingDir: '/',
      // Not of the OCI specification: Docker and Podman take it from here.
      Healthcheck: { Test: ['CMD', ...image.healthcheck], Interval: 10 * SECOND, Timeout: 5 * SECOND, StartPeriod: 10 * SECOND },
      Labels: { 'org.opencontainers.image.version': version, 'org.opencontainers.image.licenses': 'Apache-2.0' },
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => `sha256:${diffId}`) },
    history: layers.map(({ name }) => ({ created, created_by: `deploy/image/build.ts ${name}` })),
  }
}

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
