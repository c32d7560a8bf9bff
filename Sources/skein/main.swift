import Glibc
import SkeinCLI

SkeinCommand.prepareProcess()
exit(await SkeinCommand.run(Array(CommandLine.arguments.dropFirst())))
