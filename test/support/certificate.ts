import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export interface Certificate {
  /** PEM. Its own authority: trust it by giving it as `ca`. */
  readonly cert: string
  /** PEM. */
  readonly key: string
}

/**
 * Makes a certificate, so that no key has to lie in the repository.
 *
 * @param options - `endsIn`: seconds from now at which its validity ends; a day unless given. `host`: what it is for; `localhost` and
 *   127.0.0.1 unless given
 */
export function createCertificate({ endsIn = 24 * 3600, host }: { endsIn?: number; host?: string } = {}): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = sequence(set(sequence(objectId('550403'), tagged(0x0c, Buffer.from('localhost')))))
  const algorithm = sequence(objectId('2a8648ce3d040302'))
  const content = sequence(
    tagged(0xa0, tagged(0x02, Buffer.of(2))),
    tagged(0x02, Buffer.concat([Buffer.of(1), randomBytes(15)])),
    algorithm,
    name,
    sequence(time(-3600), time(endsIn)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(basicConstraints(), alternativeNames(host))),
  )
  const certificate = sequence(content, algorithm, bitString(sign('sha256', content, privateKey)))
  return { cert: formatPem(certificate), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

/** It may act as an authority: some verifiers want that of whatever they are told to trust. */
function basicConstraints(): Buffer {
  const isAuthority = tagged(0x01, Buffer.of(0xff))
  return sequence(objectId('551d13'), tagged(0x01, Buffer.of(0xff)), tagged(0x04, sequence(isAuthority)))
}

function alternativeNames(host: string | undefined): Buffer {
  const thisMachine = [tagged(0x82, Buffer.from('localhost')), tagged(0x87, Buffer.of(127, 0, 0, 1))]
  const names = sequence(...(host === undefined ? thisMachine : [tagged(0x82, Buffer.from(host))]))
  return sequence(objectId('551d11'), tagged(0x04, names))
}

/** Tag, length and content: all that DER is (X.690 §8.1). The length in as few bytes as can be (§10.1), or browsers refuse it. */
function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 128) return Buffer.concat([Buffer.of(tag, length), content])
  if (length < 256) return Buffer.concat([Buffer.of(tag, 0x81, length), content])
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content])
}

const sequence = (...parts: Buffer[]) => tagged(0x30, Buffer.concat(parts))
const set = (...parts: Buffer[]) => tagged(0x31, Buffer.concat(parts))
const objectId = (hex: string) => tagged(0x06, Buffer.from(hex, 'hex'))
const bitString = (content: Buffer) => tagged(0x03, Buffer.concat([Buffer.of(0), content]))

function time(secondsFromNow: number): Buffer {
  const digits = new Date(Date.now() + secondsFromNow * 1000).toISOString().replace(/\D/g, '').slice(2, 14)
  return tagged(0x17, Buffer.from(`${digits}Z`))
}

function formatPem(der: Buffer): string {
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
}
