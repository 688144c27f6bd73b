import type { PeerKind, PeerSetting } from './peer.ts'

/** nginx with one process, as a plain proxy: JWT needs its commercial edition. What comes passes at once, as event streams need. */
export const nginx: PeerKind = {
  name: 'nginx (no token)',
  program: 'nginx',
  verifies: false,
  files: (setting) => ({ 'nginx.conf': formatConfig(setting) }),
  format: (folder) => ['-p', folder, '-c', `${folder}/nginx.conf`, '-e', `${folder}/error.log`],
}

const formatConfig = ({ folder, port, upstreamPort }: PeerSetting): string => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 1000000;
  upstream server {
    server 127.0.0.1:${upstreamPort};
    keepalive 64;
    keepalive_requests 1000000;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://server;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "";
      proxy_buffering off;
    }
  }
}
`
