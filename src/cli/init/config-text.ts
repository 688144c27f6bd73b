import { isLoopback } from '../../config/format/formats.ts'
import type { Answers } from './answers.ts'

/** Stands for the client id until the proxy is registered at the provider. */
export const PLACEHOLDER = 'REPLACE-WITH-THE-CLIENT-ID'
export const BROKER_KEY = 'BROKER_KEY'

/** Environment variable with the client secret. */
export function nameSecret({ provider }: Answers): string {
  return `${provider.choice.toUpperCase()}_CLIENT_SECRET`
}

/** Whether the proxy signs users in itself. */
export function hasBroker({ provider }: Answers): boolean {
  return provider.choice !== 'issuer'
}

/** The public path: that of the upstream where it has one. */
export function choosePath({ upstream }: Pick<Answers, 'upstream'>): string {
  const path = upstream.kind === 'http' ? new URL(upstream.url).pathname.replace(/\/+$/, '') : ''
  return /^(?:\/[\w.~-]+)+$/.test(path) && !/^\/(?:\.well-known|healthz|readyz)\b/.test(path) && !isSse(upstream) ? path : '/mcp'
}

/** Whether the MCP server has the transport of 2024-11-05. */
export function isSse(upstream: Answers['upstream']): boolean {
  return upstream.kind === 'http' && /\/sse\/?$/.test(new URL(upstream.url).pathname)
}

/** The URL that clients are given. */
export function formatClientUrl(answers: Answers): string {
  return `${answers.publicUrl}${isSse(answers.upstream) ? '/sse' : choosePath(answers)}`
}

/** The configuration file. Secrets are named in it, never written. */
export function formatConfig(answers: Answers): string {
  return [
    '# yaml-language-server: $schema=https://unpkg.com/open-mcp-auth-proxy/docs/config.schema.json',
    '# Made by `open-mcp-auth-proxy init`. Every key: docs/configuration.md. `open-mcp-auth-proxy doctor` says whether it works.',
    '',
    ...formatEdge(answers),
    '',
    ...(hasBroker(answers) ? formatBroker(answers) : formatIssuer(answers)),
    '',
    ...formatServer(answers),
    '',
  ].join('\n')
}

function formatEdge({ publicUrl }: Answers): string[] {
  const { hostname, port, protocol } = new URL(publicUrl)
  const isOwn = isLoopback(hostname)
  return [
    '# Where clients reach the proxy. Behind a load balancer: its URL.',
    `public_url: ${quote(publicUrl)}`,
    'listen:',
    isOwn
      ? '  host: 127.0.0.1 # this machine only'
      : '  host: 0.0.0.0 # every interface; TLS ends at a load balancer, or here with `tls`',
    `  port: ${isOwn && protocol === 'http:' && port !== '' ? port : 8080}`,
  ]
}

function formatIssuer({ place }: Answers): string[] {
  return [
    '# Whose access tokens are accepted: those that are for the URL of the server (`aud`).',
    'issuers:',
    `  - ${quote(String(place.issuer))}`,
  ]
}

function formatBroker(answers: Answers): string[] {
  const { provider, place, allow, clientId } = answers
  return [
    '# What users sign in with. The proxy is the authorization server for MCP clients.',
    'identity_provider:',
    `  kind: ${provider.choice}`,
    ...formatMembers(place, '  '),
    `  client_id: ${quote(clientId ?? PLACEHOLDER)}${clientId === undefined ? ' # as the provider shows it' : ''}`,
    `  client_secret: { env: ${nameSecret(answers)} } # an environment variable; never the secret itself`,
    ...(allow.length > 0 ? ['  allow: # who may sign in; one of these is enough', ...allow.map(formatAllow)] : []),
    '',
    '# What the proxy remembers is in open-mcp-auth-proxy.db beside this file; users and keys in it are encrypted with this.',
    `encryption_keys: [{ env: ${BROKER_KEY} }] # openssl rand -base64 32`,
  ]
}

function formatMembers(members: Readonly<Record<string, unknown>>, indent: string): string[] {
  return Object.entries(members).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null
      ? [`${indent}${key}:`, ...formatMembers(value as Readonly<Record<string, unknown>>, `${indent}  `)]
      : [`${indent}${key}: ${quote(String(value))}`],
  )
}

function formatAllow({ claim, values }: Answers['allow'][number]): string {
  return `    - { claim: ${quote(claim)}, values: [${values.map(quote).join(', ')}] }`
}

function formatServer(answers: Answers): string[] {
  const { upstream, scopes } = answers
  const to = upstream.kind === 'http' ? quote(upstream.url) : undefined
  return [
    `# Give clients ${formatClientUrl(answers)}`,
    'servers:',
    ...(isSse(upstream)
      ? ['  - sse:', '      path: /sse', `      upstream: ${to}`]
      : [`  - path: ${quote(choosePath(answers))}`, ...formatUpstream(upstream)]),
    ...(scopes.length > 0
      ? [`    scopes: [${scopes.map(quote).join(', ')}] # every request needs all of them`]
      : ['    # scopes: [mcp:tools] # scopes that every request needs']),
    '    # rules:',
    '    #   - { tool: "delete_*", scopes: [mcp:admin] } # further scopes for single tools',
  ]
}

function formatUpstream(upstream: Answers['upstream']): string[] {
  if (upstream.kind === 'http') return [`    upstream: ${quote(upstream.url)}`]
  return ['    upstream:', `      command: [${upstream.command.map(quote).join(', ')}]`]
}

/** Plain where YAML reads nothing else into it (JSON strings are YAML strings). */
function quote(text: string): string {
  return /^[A-Za-z/][\w./:~-]*$/.test(text) && !/:$|^(?:true|false|yes|no|on|off|null|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text)
}
