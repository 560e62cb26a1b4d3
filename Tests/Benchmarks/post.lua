-- One real event of about 700 bytes, with the full auth block of an application's event.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
wrk.body = "event=ONCRMDEALUPDATE&event_handler_id=123&data%5BFIELDS%5D%5BID%5D=4711&ts=1466439714"
    .. "&auth%5Baccess_token%5D=3226685700715db2000858f18a0000000111dfbec470c27e4d0fb3fcf1aa269b4c137ace"
    .. "&auth%5Bexpires%5D=1466443314&auth%5Bexpires_in%5D=3600&auth%5Bscope%5D=crm%2Cplacement%2Cuser_brief"
    .. "&auth%5Bdomain%5D=some-domain.bitrix24.com&auth%5Bserver_endpoint%5D=https%3A%2F%2Foauth.bitrix.info%2Frest%2F"
    .. "&auth%5Bstatus%5D=L&auth%5Bclient_endpoint%5D=https%3A%2F%2Fsome-domain.bitrix24.com%2Frest%2F"
    .. "&auth%5Bmember_id%5D=a223c6b3710f85df22e9377d6c4f7553&auth%5Buser_id%5D=1"
    .. "&auth%5Bapplication_token%5D=51856fefc120afa4b628cc82d3935cce"

done = function(summary, latency, requests)
    local seconds = summary.duration / 1e6
    local errors = summary.errors
    io.write(string.format('RESULT {"rate": %.0f, "p50ms": %.3f, "p99ms": %.3f, "errors": %d, "requests": %d}\n',
        summary.requests / seconds, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout, summary.requests))
end
