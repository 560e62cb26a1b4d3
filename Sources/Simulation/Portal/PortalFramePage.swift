/// Pages that a person opens: a portal with the application's frame in it, and the script that Bitrix24 gives such pages.
extension PortalWorld {
    /// `nil`: the path is none of a page.
    mutating func page(_ request: StandInRequest) -> StandInAnswer? {
        let parts = request.path.split(separator: "/").map(String.init)
        if parts == ["api", "v1"] {
            return StandInAnswer(contentType: "text/javascript; charset=utf-8", body: Array(Self.script.utf8))
        }
        guard parts.count >= 3, parts[0] == "portal", parts[2] == "frame", let index = index(of: parts[1]) else {
            return nil
        }
        let parameters = request.parameters ?? .emptyMap
        switch parts.dropFirst(3).first {
        case nil:
            guard !settings.installURL.isEmpty else {
                return .html("<p>There is no address of an application; give --install-url.</p>", status: 404)
            }
            let language = parameters["lang"]?.text
            return .html(framePage(index, openFrame(index, language: language, user: 1), language ?? "en"))
        case "installFinish" where request.method == "POST":
            let isDone = finishInstallation(index, session: parameters["sid"]?.text ?? "")
            return .json(["result": .bool(isDone)], status: isDone ? 200 : 403)
        default: return nil
        }
    }

    private func framePage(_ index: Int, _ frame: PortalFrame, _ language: String) -> String {
        let portal = portals[index]
        let name = Self.escaped("\(portal.domain)|1|\(frame.session)")
        let action = Self.escaped(settings.installURL + (settings.installURL.contains("?") ? "&" : "?") + frame.query)
        let inputs = frame.fields.members.map { member in
            #"<input type="hidden" name="\#(Self.escaped(member.name))" value="\#(Self.escaped(member.value.text ?? ""))">"#
        }
        return """
            <!doctype html>
            <html lang="\(Self.escaped(language))">
            <head>
            <meta charset="utf-8">
            <title>\(Self.escaped(portal.domain)) (stand-in)</title>
            <style>
            body { margin: 0; font: 16px/1.5 sans-serif; background: #eef2f4; color: #333 }
            header { padding: .5em 1em; background: #2fc6f6; color: #05323f }
            iframe { display: block; width: calc(100% - 2em); height: 75vh; margin: 1em; border: 0; background: #fff }
            </style>
            </head>
            <body data-session="\(frame.session)" data-finish="/portal/\(portal.memberID)/frame/installFinish">
            <header><b>\(Self.escaped(portal.domain))</b>, a stand-in for a portal of Bitrix24.
            The application is <b id="state">\(portal.installation.words)</b>.</header>
            <iframe name="\(name)" title="The application"></iframe>
            <form method="post" target="\(name)" action="\(action)">\(inputs.joined())</form>
            <script>
            addEventListener("message", event => {
              const words = typeof event.data === "string" ? event.data.split(":") : [];
              const session = document.body.dataset.session;
              if (words[0] !== "installFinish" || words[1] !== session) return;
              fetch(document.body.dataset.finish + "?sid=" + session, { method: "POST" }).then(answer => {
                if (answer.ok) document.getElementById("state").textContent = "installed";
              });
            });
            document.forms[0].submit();
            </script>
            </body>
            </html>

            """
    }

    /// What pages use of `//api.bitrix24.com/api/v1/`: it speaks with the portal around the frame, whose name tells which.
    private static let script = """
        (function () {
          "use strict";
          var parts = window.name.split("|");
          if (window.parent === window || parts.length < 3) {
            throw new Error("Unable to initialize Bitrix24 JS library!");
          }
          var waiting = [], isReady = false;
          function ready() {
            isReady = true;
            waiting.splice(0).forEach(function (call) { call(); });
          }
          window.BX24 = {
            init: function (call) { if (isReady) { setTimeout(call, 0); } else { waiting.push(call); } },
            installFinish: function () { window.parent.postMessage("installFinish:" + parts[2], "*"); },
            getDomain: function () { return parts[0]; },
            getLang: function () { return new URLSearchParams(location.search).get("LANG"); },
            fitWindow: function (call) { if (call) { call(); } },
            resizeWindow: function (width, height, call) { if (call) { call(); } },
            setTitle: function (title, call) { if (call) { call(); } }
          };
          if (document.readyState === "loading") {
            document.addEventListener("DOMContentLoaded", ready);
          } else {
            setTimeout(ready, 0);
          }
        })();

        """

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
