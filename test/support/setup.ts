/** Runs before each test file. What it imports runs once in a process, which several files of `src` share. */
import './rsa-keys.ts'
import './wait-patiently.ts'
import './watch-secrets.ts'
