import { createSecureContext } from 'node:tls'
import { entriesOf } from '../derive/present-items.ts'
import { decodeSessionKey, isCertificateList } from '../format/key-material.ts'
import type { ConfigPath, Report } from '../problem/problem.ts'
import type { IssuerConfig } from '../schema/issuer.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { CheckContext } from './check-context.ts'
import { checkPrivateKey } from './oauth-client.ts'

/** Checks what secrets and files hold, as far as that can be seen before they are used. */
export function checkSecretsAndFiles(context: CheckContext): void {
  const { config } = context
  checkSessionKey(context)
  checkAdminToken(context)
  checkTls(context)
  for (const [index, issuer] of entriesOf(config.issuers)) checkIssuer(issuer, ['issuers', index], context)
  checkAuthorities(config.egress_proxy?.ca_file, ['egress_proxy', 'ca_file'], context)
  checkAuthorities(config.identity_provider?.ca_file, ['identity_provider', 'ca_file'], context)
  checkAuthorities(config.rewrite?.ca_file, ['rewrite', 'ca_file'], context)
  checkAuthorities(config.broker?.client_metadata?.ca_file, ['broker', 'client_metadata', 'ca_file'], context)
  for (const key of ['identity_assertions', 'token_exchange'] as const) {
    const at = ['broker', key, 'issuers']
    for (const [index, issuer] of entriesOf(config.broker?.[key]?.issuers)) checkIssuer(issuer, [...at, index], context)
  }
  for (const [index, server] of entriesOf(config.servers)) {
    const at = ['servers', index]
    for (const [position, issuer] of entriesOf(server.issuers)) checkIssuer(issuer, [...at, 'issuers', position], context)
    checkAuthorities(server.upstream?.ca_file, [...at, 'upstream', 'ca_file'], context)
    checkAuthorities(server.sse?.upstream?.ca_file, [...at, 'sse', 'upstream', 'ca_file'], context)
  }
}

function checkSessionKey({ config, secretsAndFiles, report }: CheckContext): void {
  const secret = secretsAndFiles.findSecret(config.session_key)
  if (secret === undefined || decodeSessionKey(secret)) return
  report(['session_key'], {
    reason: 'is shorter than 32 bytes, or all zeros',
    fix: 'Make one with: openssl rand -base64 32',
  })
}

function checkAdminToken({ config, secretsAndFiles, report }: CheckContext): void {
  const token = secretsAndFiles.findSecret(config.admin?.token)
  if (token === undefined || /^[\x21-\x7e]{32,}$/.test(token)) return
  report(['admin', 'token'], {
    reason: 'is shorter than 32 characters, or has characters that no header can hold',
    fix: 'Make one with: openssl rand -base64 32',
  })
}

function checkTls({ config, secretsAndFiles, report }: CheckContext): void {
  const { cert_file, key_file } = config.listen?.tls ?? {}
  checkKeyPair(secretsAndFiles.findFile(cert_file), secretsAndFiles.findFile(key_file), ['listen', 'tls'], report)
}

/** Checks a certificate chain and its key, PEM; nothing where one of them could not be read. */
export function checkKeyPair(cert: string | undefined, key: string | undefined, at: ConfigPath, report: Report): void {
  if (cert === undefined || key === undefined) return
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
    report(at, {
      reason: `certificate and private key cannot be used together${code}`,
      fix: 'Give a PEM certificate chain and its own unencrypted PEM key.',
    })
  }
}

function checkIssuer(issuer: PartialConfig<IssuerConfig>, at: ConfigPath, context: CheckContext): void {
  checkAuthorities(issuer.ca_file, [...at, 'ca_file'], context)
  if (issuer.introspection) checkPrivateKey(issuer.introspection, [...at, 'introspection'], context)
}

/** Checks a file of certificates; nothing where it could not be read. */
export function checkAuthorities(file: string | undefined, at: ConfigPath, { secretsAndFiles, report }: CheckContext): void {
  const pem = secretsAndFiles.findFile(file)
  if (pem === undefined || isCertificateList(pem)) return
  report(at, { reason: 'holds no readable PEM certificates', fix: 'Give a file with -----BEGIN CERTIFICATE----- blocks.' })
}
