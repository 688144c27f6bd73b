import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Reads `+ <group>` and `- <group>`, and so knows which process groups run. Its input ends with the proxy, however the proxy ends. The groups
 * then have a second to notice the end of their own input, and another one after SIGTERM, before they are killed. It is a POSIX shell script
 * that reads nothing but group ids.
 */
const SCRIPT = `
trap '' HUP INT TERM
groups=' '
while read -r change group; do
  case $change in
    +) groups="$groups$group " ;;
    -) case $groups in *" $group "*) groups="\${groups%% $group *} \${groups#* $group }" ;; esac ;;
  esac
done
[ "$groups" = ' ' ] && exit 0
sleep 1
for group in $groups; do kill -s TERM -- "-$group" 2>/dev/null; done
sleep 1
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
exit 0
`

/** How often a watchdog that has ended is started again. */
const MAX_STARTS = 10

/**
 * Ends the process groups of all servers when the proxy is gone, even by SIGKILL. Otherwise a server that does not end with its input would
 * go on running. It is one small shell for all servers. Without a POSIX shell, servers have only the end of their input.
 */
export class Watchdog {
  readonly #groups = new Set<number>()
  readonly #onEvent: (event: string) => void
  #shell: ChildProcess | undefined
  #starts = 0

  /** @param onEvent - called when the watchdog could not be started */
  constructor(onEvent: (event: string) => void) {
    this.#onEvent = onEvent
  }

  /** Watches a process group. Its id is written before anything else happens in the proxy. */
  add(group: number): void {
    this.#groups.add(group)
    if (this.#shell) this.#write(`+ ${group}\n`)
    else this.#start()
  }

  remove(group: number): void {
    if (this.#groups.delete(group)) this.#write(`- ${group}\n`)
    if (this.#groups.size === 0) this.#rest()
  }

  #start(): void {
    if (process.platform === 'win32') return
    try {
      this.#shell = this.#spawn()
      this.#write([...this.#groups].map((group) => `+ ${group}\n`).join(''))
    } catch (error) {
      this.#report(error as Error)
    }
  }

  /** Undefined when the shell could not be started. The next server causes another attempt. */
  #spawn(): ChildProcess | undefined {
    const shell = spawn('/bin/sh', ['-c', SCRIPT], {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: '/usr/bin:/bin' },
      cwd: '/',
      // In a group of its own, it does not get the signals that a terminal or a process manager sends to ours.
      detached: true,
    })
    shell.on('error', (error) => this.#report(error))
    if (shell.pid === undefined) return undefined
    shell.on('exit', () => this.#restart(shell))
    const stdin = shell.stdin as NonNullable<typeof shell.stdin> & { unref?: () => void }
    stdin.on('error', () => undefined)
    shell.unref()
    stdin.unref?.()
    return shell
  }

  #report(error: Error): void {
    this.#onEvent(`children are not ended if the proxy is killed: ${error.message}`)
  }

  #restart(shell: ChildProcess): void {
    if (this.#shell !== shell) return
    this.#shell = undefined
    if (this.#groups.size > 0 && this.#starts++ < MAX_STARTS) this.#start()
  }

  /** Ends the shell, since there is nothing to watch. */
  #rest(): void {
    const shell = this.#shell
    this.#shell = undefined
    this.#starts = 0
    shell?.stdin?.end()
  }

  #write(text: string): void {
    if (text !== '') this.#shell?.stdin?.write(text)
  }
}
