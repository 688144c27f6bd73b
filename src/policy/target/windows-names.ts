import { joinUri, type UriShape } from './uri-shape.ts'

/** What Windows makes of paths. A drive stands at the beginning of a path (`/C:/x`, RFC 8089 appendix E), as its administrative share does (`C$`). */
const DRIVE = /^\/+([A-Za-z])(?:[:|]|%3a|%7c|\$)(?=\/|$)/i

/** The default stream of a file, and the index of a directory, are the file and the directory. */
const STREAM = /(?::[^/:?#]*)?:\$[A-Za-z0-9_]+/g

/** `//?/x` and `//./x` are `x` without further parsing, `//?/UNC/server` is a share. */
const DEVICE = /^\/{2,}[?.]\/+(?:UNC\/+)?/i

/** One spelling of the drive that a path begins with. */
export function tidyDrive(path: string): string {
  return path.replace(DRIVE, (_beginning, letter: string) => `/${letter.toLowerCase()}:`)
}

export function tidyFileDrive(uri: string, { scheme, authority, rest }: UriShape): string {
  if (scheme !== 'file' || !DRIVE.test(rest)) return uri
  return joinUri(scheme, authority ?? '', tidyDrive(rest))
}

export function dropDevice(uri: string, { scheme, rest }: UriShape): string {
  return scheme === 'file' && DEVICE.test(rest) ? joinUri(scheme, '', rest.replace(DEVICE, '/')) : uri
}

export function dropStream(uri: string): string {
  return uri.includes(':$') ? uri.replaceAll(STREAM, '') : uri
}

/** Whether a path begins with a drive. */
export function hasDrive(path: string): boolean {
  return DRIVE.test(path)
}

/** Without a slash behind it, a drive means its working directory; and a second one begins the path anew, or doesn't. */
export function hasLooseDrive(path: string): boolean {
  return /^\/[A-Za-z][:|][^/\\]|[^/\\][/\\]+[A-Za-z][:|]/.test(path)
}
