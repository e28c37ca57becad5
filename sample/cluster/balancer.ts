/**
 * HAProxy before the nodes: every request goes to the next node, whoever it is of. None sticks to a node, so that one
 * sees what the cluster is for. docs/deployment/haproxy.cfg is the configuration for the open internet.
 */
export function balancerConfiguration(port: number, nodes: readonly number[]): string {
  const servers = nodes.map((node, index) => `    server node-${index + 1} 127.0.0.1:${node} check inter 200ms fall 2 rise 1`);
  return `defaults
    mode http
    timeout connect 2s
    timeout http-keep-alive 60s
    timeout client 90s
    timeout server 90s
    timeout tunnel 90s
    option forwardfor
    # A request that found nobody goes to another node; one that was begun is the client's to repeat.
    retries 3
    option redispatch 1
    retry-on conn-failure
frontend web
    bind 127.0.0.1:${port}
    default_backend nodes
backend nodes
    balance roundrobin
    option httpchk GET /health
    http-check expect status 200
${servers.join('\n')}
`;
}
