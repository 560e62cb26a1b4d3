/// A status code with its reason phrase.
package struct ResponseStatus: Sendable, Hashable, ExpressibleByIntegerLiteral {
    package let code: Int

    /// A final status, 200 to 599.
    package init(integerLiteral code: Int) {
        precondition((200...599).contains(code), "a response has a final status")
        self.code = code
    }

    package static let ok: Self = 200
    package static let badRequest: Self = 400
    package static let forbidden: Self = 403
    package static let notFound: Self = 404
    package static let methodNotAllowed: Self = 405
    package static let requestTimeout: Self = 408
    package static let contentTooLarge: Self = 413
    package static let headerFieldsTooLarge: Self = 431
    package static let internalServerError: Self = 500
    package static let notImplemented: Self = 501
    package static let serviceUnavailable: Self = 503
    package static let versionNotSupported: Self = 505

    /// 204 and 304 end with their head and carry no length (RFC 9110, 8.6).
    var hasBody: Bool { code != 204 && code != 304 }

    /// As RFC 9110 and RFC 6585 name it. Clients ignore it.
    var reasonPhrase: StaticString {
        switch code {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 411: "Length Required"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: "Status"
        }
    }
}
