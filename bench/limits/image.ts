import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { IMAGE } from '../../deploy/image/image-config.ts'
import { type Contained, runContained } from '../../test/install/support/root-file-system.ts'
import { findFreePort } from '../../test/support/free-port.ts'
import { waitUntil } from '../../test/support/processes.ts'
import type { Child } from '../child.ts'
import { type ProxyArgument, path, publicHost } from '../plan.ts'

/**
 * Starts the proxy of an image: its Node, its allocator and its flags. Needs root.
 *
 * @param folder - that `deploy/image/build.ts` wrote
 * @throws Error when it does not listen
 */
export async function startImage(folder: string, argument: ProxyArgument): Promise<Child> {
  const port = await findFreePort()
  const config = join(folder, 'config.json')
  writeFileSync(config, JSON.stringify(createConfig(port, argument)))
  const [mount] = IMAGE.command.slice(-1)
  const rootfs = join(folder, 'rootfs')
  writeFileSync(join(rootfs, mount ?? ''), '')
  const proxy = await runContained(rootfs, IMAGE, [...IMAGE.entrypoint, ...IMAGE.command], {
    mounts: { [mount ?? '']: config },
  })
  await waitUntil(() => proxy.written.error.includes('is listening on'), 'the image listens')
  return { name: 'image', pid: proxy.pid, port, ask: createAsk(proxy), stop: () => stop(proxy) }
}

function createConfig(port: number, { upstreamPort, issuer }: ProxyArgument): object {
  const servers = [{ path, upstream: `http://127.0.0.1:${upstreamPort}${path}`, scopes: ['mcp'] }]
  return { public_url: `https://${publicHost}`, listen: { port }, log: { format: 'json' }, issuers: [issuer], servers }
}

/** It has no probe: what the system knows of it is all that can be asked. */
function createAsk({ pid }: Contained): Child['ask'] {
  return async <T>(question: string): Promise<T> => {
    if (question !== 'residentNow') throw new Error(`the image does not know its ${question}`)
    return (Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024) as T
  }
}

async function stop({ stop, exit }: Contained): Promise<void> {
  stop('SIGTERM')
  await exit
}
