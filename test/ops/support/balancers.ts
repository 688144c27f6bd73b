import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { waitUntil } from '../../support/processes.ts'
import { readSample } from './sample.ts'

/** A real load balancer in front of two replicas. */
export interface Balancer {
  readonly pid: number
  /** What it wrote to standard error until now: which replicas it took out, and what it could not pass on. */
  readonly told: readonly string[]
  /** Begins `told` anew. */
  forget(): void
  close(): Promise<void>
}

/** As `docs/operations.md` shows it. */
export function startNginx(port: number, replicas: readonly number[]): Promise<Balancer> {
  const folder = mkdtempSync(join(tmpdir(), 'nginx-'))
  const file = join(folder, 'nginx.conf')
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`)
  const main = `daemon off; pid ${folder}/pid; error_log stderr; events {}`
  const site = replacePorts(readSample('nginx.conf'), port, replicas)
  writeFileSync(file, `${main}\nhttp { access_log off; ${paths.join(' ')}\n${site}\n}\n`)
  return startBalancer(['nginx'], ['-e', 'stderr', '-c', file], port, folder)
}

/** Where a load balancer runs, if not beside its replicas. */
export interface Place {
  /** A command that ends in the place of its arguments' command, such as `ip netns exec`. */
  readonly through: readonly string[]
  /** By which addresses the replicas are reached from there. */
  readonly hosts: readonly string[]
}

const HERE: Place = { through: [], hosts: ['127.0.0.1', '127.0.0.1'] }

/** As `docs/operations.md` shows it. */
export function startHaproxy(port: number, replicas: readonly number[], place = HERE): Promise<Balancer> {
  const folder = mkdtempSync(join(tmpdir(), 'haproxy-'))
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(file, replacePorts(readSample('haproxy.cfg'), port, replicas, place.hosts))
  return startBalancer([...place.through, 'haproxy'], ['-db', '-f', file], port, folder)
}

/** The samples listen on 80 in front of two replicas on other machines. */
function replacePorts(sample: string, port: number, [first, second]: readonly number[], [one, two] = HERE.hosts): string {
  return sample
    .replaceAll('10.0.0.1:8080', `${one}:${first}`)
    .replaceAll('10.0.0.2:8080', `${two}:${second}`)
    .replace(/(listen |bind :)80\b/, `$1${port}`)
}

async function startBalancer(
  [command = '', ...before]: readonly string[],
  parameters: readonly string[],
  port: number,
  folder: string,
): Promise<Balancer> {
  const child: ChildProcess = spawn(command, [...before, ...parameters], { stdio: ['ignore', 'ignore', 'pipe'] })
  const told: string[] = []
  if (child.stderr !== null) createInterface(child.stderr).on('line', (line) => told.push(line))
  const answers = async () => {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}: ${told.join('\n')}`)
    return (await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined))?.status === 200
  }
  await waitUntil(answers, `${command} answers`)
  return {
    pid: child.pid ?? 0,
    told,
    forget: () => void told.splice(0),
    async close() {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
