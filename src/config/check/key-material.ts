import { createSecureContext } from 'node:tls'
import { entriesOf } from '../derive/present-items.ts'
import { decodeSessionKey, isCertificateList, listKeyAlgorithms, parsePrivateKey } from '../format/key-material.ts'
import type { ConfigPath } from '../problem/problem.ts'
import type { IntrospectionConfig, IssuerConfig } from '../schema/issuer.ts'
import type { Draft } from '../schema/partial-config.ts'
import type { Inspection } from './check-context.ts'

/** Checks what secrets and files hold, as far as that can be seen before they are used. */
export function checkMaterial(inspection: Inspection): void {
  const { draft } = inspection
  checkSessionKey(inspection)
  checkTls(inspection)
  for (const [index, issuer] of entriesOf(draft.issuers)) checkIssuer(issuer, ['issuers', index], inspection)
  checkAuthorities(draft.identity_provider?.ca_file, ['identity_provider', 'ca_file'], inspection)
  checkAuthorities(draft.rewrite?.ca_file, ['rewrite', 'ca_file'], inspection)
  checkAuthorities(draft.broker?.client_metadata?.ca_file, ['broker', 'client_metadata', 'ca_file'], inspection)
  for (const key of ['identity_assertions', 'token_exchange'] as const) {
    const at = ['broker', key, 'issuers']
    for (const [index, issuer] of entriesOf(draft.broker?.[key]?.issuers)) checkIssuer(issuer, [...at, index], inspection)
  }
  for (const [index, server] of entriesOf(draft.servers)) {
    const at = ['servers', index]
    for (const [position, issuer] of entriesOf(server.issuers)) checkIssuer(issuer, [...at, 'issuers', position], inspection)
    checkAuthorities(server.upstream?.ca_file, [...at, 'upstream', 'ca_file'], inspection)
    checkAuthorities(server.sse?.upstream?.ca_file, [...at, 'sse', 'upstream', 'ca_file'], inspection)
  }
}

function checkSessionKey({ draft, material, report }: Inspection): void {
  const secret = material.findSecret(draft.session_key)
  if (secret === undefined || decodeSessionKey(secret)) return
  report(['session_key'], {
    reason: 'is shorter than 32 bytes, or zeros alone',
    fix: 'Make one with: openssl rand -base64 32',
  })
}

function checkTls({ draft, material, report }: Inspection): void {
  const cert = material.findFile(draft.listen?.tls?.cert_file)
  const key = material.findFile(draft.listen?.tls?.key_file)
  if (cert === undefined || key === undefined) return
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
    report(['listen', 'tls'], {
      reason: `certificate and private key cannot be used together${code}`,
      fix: 'Give a PEM certificate chain and its own unencrypted PEM key.',
    })
  }
}

function checkIssuer(issuer: Draft<IssuerConfig>, at: ConfigPath, inspection: Inspection): void {
  checkAuthorities(issuer.ca_file, [...at, 'ca_file'], inspection)
  if (issuer.introspection) checkPrivateKey(issuer.introspection, [...at, 'introspection'], inspection)
}

function checkPrivateKey(introspection: Draft<IntrospectionConfig>, at: ConfigPath, { material, report }: Inspection): void {
  const secret = material.findSecret(introspection.private_key)
  if (secret === undefined) return
  const key = parsePrivateKey(secret)
  const algorithms = key ? listKeyAlgorithms(key) : []
  if (algorithms.length === 0) {
    report([...at, 'private_key'], {
      reason: 'is not a private key that can be used',
      fix: 'Give an unencrypted PEM or JWK: RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or Ed25519.',
    })
  } else if (introspection.algorithm !== undefined && !algorithms.includes(introspection.algorithm)) {
    report([...at, 'algorithm'], {
      reason: `${introspection.algorithm} does not fit the private key`,
      fix: `Write one of ${algorithms.join(', ')}, or leave it out.`,
    })
  }
}

function checkAuthorities(file: string | undefined, at: ConfigPath, { material, report }: Inspection): void {
  const pem = material.findFile(file)
  if (pem === undefined || isCertificateList(pem)) return
  report(at, { reason: 'holds no readable PEM certificates', fix: 'Give a file with -----BEGIN CERTIFICATE----- blocks.' })
}
