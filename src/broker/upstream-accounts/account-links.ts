import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { Clock } from '../../core/clock.ts'
import type { Encryption } from '../../core/encryption.ts'

/** What a link asks for, and of whom. */
export interface AccountLink {
  /** The user for whom it was made. It does nothing for others. */
  readonly subject: string
  readonly server: string
  /** Scopes beside the usual ones. */
  readonly scopes: readonly string[]
  /** The client whose call needs the account. */
  readonly clientId: string | undefined
}

/** Links to the page where a user connects an account. They hold what they are about, sealed, so that none has to be kept. */
export interface AccountLinks {
  format(link: AccountLink): string
  /** @param reference - the last segment of the path; undefined for what is no link of ours, or an expired one */
  read(reference: string): AccountLink | undefined
}

const PURPOSE = 'account-link'
/** A client shows it at once. */
const LINK_MS = 60 * 60_000

export function createAccountLinks(origin: string, encryption: Encryption, clock: Clock): AccountLinks {
  return {
    format(link) {
      const sealed = encryption.encrypt(PURPOSE, JSON.stringify({ link, until: clock.wall() + LINK_MS }))
      return `${origin}${BROKER_PATHS.connections.link}/${Buffer.from(sealed).toString('base64url')}`
    },
    read(reference) {
      const text = encryption.decrypt(PURPOSE, Buffer.from(reference, 'base64url').toString())
      if (text === undefined) return undefined
      const { link, until } = JSON.parse(text) as { readonly link: AccountLink; readonly until: number }
      return clock.wall() < until ? link : undefined
    },
  }
}
