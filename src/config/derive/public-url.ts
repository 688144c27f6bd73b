import { isLoopback } from '../format/formats.ts'
import type { Config } from '../schema/schema.ts'

/** The origin under which clients reach us: configured, or on loopback made from the port. */
export function resolvePublicUrl(config: Config): string {
  if (config.public_url !== undefined) return new URL(config.public_url).origin
  const { port, tls } = config.listen
  return new URL(`${tls ? 'https' : 'http'}://localhost:${port}`).origin
}

/** The `Host` values that are accepted, lower case. */
export function resolveAllowedHosts(config: Config): readonly string[] | '*' {
  if (config.allowed_hosts.includes('*')) return '*'
  const url = new URL(resolvePublicUrl(config))
  const hosts = new Set([...withDefaultPort(url), ...config.allowed_hosts.map((host) => host.toLowerCase())])
  if (isLoopback(config.listen.host) || isLoopback(url.hostname)) {
    for (const host of listLoopbackHosts(config)) hosts.add(host)
  }
  return [...hosts]
}

/** Some clients write the port of the scheme out, most leave it out. */
function withDefaultPort(url: URL): string[] {
  if (url.port !== '') return [url.host]
  return [url.host, `${url.host}:${url.protocol === 'https:' ? 443 : 80}`]
}

/** The names that this machine has for itself. None of them can be pointed at us by a stranger's DNS server. */
function listLoopbackHosts(config: Config): string[] {
  const scheme = config.listen.tls ? 'https' : 'http'
  return ['localhost', '127.0.0.1', '[::1]'].flatMap((name) =>
    withDefaultPort(new URL(`${scheme}://${name}:${config.listen.port}`)),
  )
}
