import { spawnSync } from 'node:child_process'

/** Whether this machine can build the image and run its root file system. Under CI it has to. */
export function canBuild(): boolean {
  const isRoot = process.getuid?.() === 0
  const has = (program: string) => spawnSync(program, ['--version']).error === undefined
  if (isRoot && ['apt-get', 'dpkg-deb', 'unshare', 'chroot', 'setpriv'].every(has)) return true
  if (process.env.CI) throw new Error('this needs root, apt-get, dpkg-deb, unshare, chroot and setpriv')
  console.warn('skipped: building the image needs Debian, and running it needs root.')
  return false
}
