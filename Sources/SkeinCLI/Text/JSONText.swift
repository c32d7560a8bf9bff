import ControlMessages

extension JSON {
    /// The value over several lines, indented by two, for people and for `diff`.
    package var indented: String {
        var text = ""
        write(to: &text, indentation: "\n")
        return text
    }

    private func write(to text: inout String, indentation: String) {
        switch self {
        case .array(let elements) where !elements.isEmpty:
            text += "["
            for (index, element) in elements.enumerated() {
                text += (index == 0 ? "" : ",") + indentation + "  "
                element.write(to: &text, indentation: indentation + "  ")
            }
            text += indentation + "]"
        case .object(let object) where !object.members.isEmpty:
            text += "{"
            for (index, member) in object.members.enumerated() {
                text += (index == 0 ? "" : ",") + indentation + "  "
                text += String(decoding: member.name.jsonBytes, as: UTF8.self) + ": "
                member.value.write(to: &text, indentation: indentation + "  ")
            }
            text += indentation + "}"
        default:
            text += String(decoding: jsonBytes, as: UTF8.self)
        }
    }
}

extension JSONWritable {
    /// As `JSON.indented`.
    package var indentedJSON: String {
        // What we write is JSON; were it not, the compact text is better than none.
        (try? JSON(parsing: jsonBytes).indented) ?? String(decoding: jsonBytes, as: UTF8.self)
    }
}
