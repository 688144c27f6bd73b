import { readFileSync } from 'node:fs'

const PAGE = new URL('../../docs/redis.md', import.meta.url)

/** Rules for ACL users as docs/redis.md has them, for a server, a Sentinel or what else a cluster needs. */
export function readAclRule(of: 'server' | 'sentinel' | 'cluster'): string[] {
  const rule = new RegExp(`^ACL SETUSER \\S+ on >\\S+ (.+?) *# ${of}$`, 'm').exec(readFileSync(PAGE, 'utf8'))?.[1]
  if (rule === undefined) throw new Error(`docs/redis.md has no ACL rule for a ${of}`)
  return rule.split(' ')
}
