import Glibc
import SkeinCLI

exit(await SkeinCommand.run(Array(CommandLine.arguments.dropFirst())))
