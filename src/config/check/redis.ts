import { listRedisUrls } from '../derive/storage.ts'
import { type ConfigPath, quote } from '../problem/problem.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { Config } from '../schema/schema.ts'
import type { CheckContext } from './check-context.ts'
import { checkAuthorities, checkKeyPair } from './secrets-and-files.ts'

type Store = PartialConfig<NonNullable<Config['store']>>

/** Ways to say where Redis is. */
const PLACES = ['url', 'sentinel', 'cluster'] as const

/** @param at - of the store */
export function checkRedis(store: Store, at: ConfigPath, context: CheckContext): void {
  checkPlace(store, at, context)
  checkUser(store, at, context)
  if (store.sentinel !== undefined) checkUser(store.sentinel, [...at, 'sentinel'], context)
  checkTls(store, at, context)
  checkPrefix(store, at, context)
}

function checkPlace(store: Store, at: ConfigPath, { isBroken, report }: CheckContext): void {
  const [first, second] = PLACES.filter((place) => store[place] !== undefined)
  if (second !== undefined) {
    report([...at, second], {
      reason: `cannot be used together with \`${first}\``,
      fix: 'Keep the one that describes your Redis.',
    })
  }
  if (first !== undefined || PLACES.some((place) => isBroken([...at, place]))) return
  report([...at, 'url'], {
    reason: 'is missing; `kind: redis` needs it, or `sentinel` or `cluster`',
    fix: 'Write it like redis://127.0.0.1:6379.',
  })
}

/** Without a password nothing would be said to the server, and the default user's rights would count. */
function checkUser(
  { username, password }: Pick<Store, 'username' | 'password'>,
  at: ConfigPath,
  { isBroken, report }: CheckContext,
) {
  if (username === undefined || password !== undefined || isBroken([...at, 'password'])) return
  report([...at, 'password'], { reason: 'is missing; `username` needs it', fix: 'Write { env: NAME } or { file: path }.' })
}

function checkTls(store: Store, at: ConfigPath, context: CheckContext): void {
  const { report, secretsAndFiles } = context
  const urls = listRedisUrls(store)
  const inTheClear = urls.find((url) => url.startsWith('redis:'))
  if (inTheClear !== undefined && urls.some((url) => url.startsWith('rediss:'))) {
    report([...at, store.sentinel === undefined ? 'cluster' : 'sentinel', 'urls'], {
      reason: 'has both redis:// and rediss:// URLs',
      fix: 'Use rediss:// for all of them.',
    })
  }
  if (store.tls === undefined) return
  if (inTheClear !== undefined) {
    report([...at, 'tls'], { reason: `has no use with ${quote(inTheClear)}`, fix: 'Write rediss:// instead of redis://.' })
  }
  const tlsAt = [...at, 'tls']
  checkAuthorities(store.tls.ca_file, [...tlsAt, 'ca_file'], context)
  const { cert_file: cert, key_file: key } = store.tls
  if ((cert === undefined) !== (key === undefined) && !context.isBroken(tlsAt)) {
    report([...tlsAt, cert === undefined ? 'cert_file' : 'key_file'], {
      reason: 'is missing; a client certificate is a certificate and its key',
      fix: 'Give both `cert_file` and `key_file`, or none.',
    })
  }
  checkKeyPair(secretsAndFiles.findFile(cert), secretsAndFiles.findFile(key), tlsAt, report)
}

/** Cluster specification, "Hash tags": `{}` as the first braces means that each key has a hash slot of its own. */
function checkPrefix({ cluster, prefix = '' }: Store, at: ConfigPath, { report }: CheckContext): void {
  if (cluster === undefined || !/^[^{]*\{\}/.test(prefix)) return
  report([...at, 'prefix'], { reason: 'has {}, which would spread the store over the cluster', fix: 'Leave out {}.' })
}
