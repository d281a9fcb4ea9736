#include "cli/completion.h"

#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace keyferry {
namespace {

using Option = CommandNode::Option;

// Between single quotes, for bash and zsh.
std::string ShellQuoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}
std::string FishQuoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
}

std::string ChildPath(const CommandNode& node, const std::string& child) {
  return node.path.empty() ? child : absl::StrCat(node.path, " ", child);
}

const CommandNode* Find(std::span<const CommandNode> tree, const std::string& path) {
  for (const CommandNode& node : tree) {
    if (node.path == path) return &node;
  }
  return nullptr;
}

// Those of the command and the global ones.
std::vector<const Option*> OptionsAt(std::span<const CommandNode> tree, const CommandNode& node) {
  std::vector<const Option*> options;
  std::set<std::string> seen;
  for (const CommandNode* from : {&node, &tree.front()}) {
    for (const Option& option : from->options) {
      if (seen.insert(option.names[0]).second) options.push_back(&option);
    }
  }
  return options;
}

// `--region|-r|…`, as a case pattern, of every option that takes the next word.
std::string ValuePattern(std::span<const CommandNode> tree) {
  std::set<std::string> names;
  for (const CommandNode& node : tree) {
    for (const Option& option : node.options) {
      if (option.takes_value) names.insert(option.names.begin(), option.names.end());
    }
  }
  return absl::StrJoin(names, "|");
}

std::string PathPattern(std::span<const CommandNode> tree) {
  std::vector<std::string> paths;
  for (const CommandNode& node : tree.subspan(1)) paths.push_back(ShellQuoted(node.path));
  return absl::StrJoin(paths, "|");
}

// Cases that print the choices of an option, one a line.
std::string ChoiceCases(std::span<const CommandNode> tree) {
  std::set<std::string> cases;
  for (const CommandNode& node : tree) {
    for (const Option& option : node.options) {
      if (option.choices.empty()) continue;
      cases.insert(absl::StrCat("    ", absl::StrJoin(option.names, "|"), ") printf '%s\\n' ",
                                absl::StrJoin(option.choices, " "), " ;;\n"));
    }
  }
  return absl::StrJoin(cases, "");
}

// Shared by bash and zsh: which command the words before the cursor name.
std::string WalkFunction(std::span<const CommandNode> tree) {
  return absl::StrCat(
      "_keyferry_path() {\n"
      "  local path='' word skip=''\n"
      "  for word in \"$@\"; do\n"
      "    if [[ -n $skip ]]; then skip=''; continue; fi\n"
      "    case \"$word\" in\n"
      "      ",
      ValuePattern(tree),
      ") skip=1; continue ;;\n"
      "      -*) continue ;;\n"
      "    esac\n"
      "    case \"${path:+$path }$word\" in\n"
      "      ",
      PathPattern(tree),
      ") path=\"${path:+$path }$word\" ;;\n"
      "    esac\n"
      "  done\n"
      "  printf '%s' \"$path\"\n"
      "}\n"
      "_keyferry_choices() {\n"
      "  case \"$1\" in\n",
      ChoiceCases(tree),
      "  esac\n"
      "}\n"
      "_keyferry_takes_value() {\n"
      "  case \"$1\" in ",
      ValuePattern(tree),
      ") return 0 ;; esac\n"
      "  return 1\n"
      "}\n");
}

std::string BashWords(std::span<const CommandNode> tree) {
  std::string cases;
  for (const CommandNode& node : tree) {
    std::vector<std::string> words = node.subcommands;
    for (const Option* option : OptionsAt(tree, node))
      words.insert(words.end(), option->names.begin(), option->names.end());
    absl::StrAppend(&cases, "    ", ShellQuoted(node.path), ") printf '%s\\n' ", absl::StrJoin(words, " "), " ;;\n");
  }
  return absl::StrCat("_keyferry_words() {\n  case \"$1\" in\n", cases, "  esac\n}\n");
}

std::string BashScript(std::span<const CommandNode> tree) {
  return absl::StrCat("# bash completion for keyferry; source <(keyferry completion bash)\n", WalkFunction(tree),
                      BashWords(tree),
                      "_keyferry() {\n"
                      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words\n"
                      "  if _keyferry_takes_value \"$previous\"; then\n"
                      "    words=$(_keyferry_choices \"$previous\")\n"
                      "  else\n"
                      "    words=$(_keyferry_words \"$(_keyferry_path \"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\")\n"
                      "  fi\n"
                      "  local IFS=$'\\n'\n"
                      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                      "}\n"
                      "complete -o default -F _keyferry keyferry\n");
}

std::string ZshWords(std::span<const CommandNode> tree) {
  std::string cases;
  for (const CommandNode& node : tree) {
    std::vector<std::string> words;
    for (const std::string& child : node.subcommands) {
      words.push_back(ShellQuoted(absl::StrCat(child, ":", Find(tree, ChildPath(node, child))->description)));
    }
    for (const Option* option : OptionsAt(tree, node)) {
      for (const std::string& name : option->names)
        words.push_back(ShellQuoted(absl::StrCat(name, ":", option->description)));
    }
    absl::StrAppend(&cases, "    ", ShellQuoted(node.path), ") reply=(", absl::StrJoin(words, " "), ") ;;\n");
  }
  return absl::StrCat("_keyferry_words() {\n  case \"$1\" in\n", cases, "  esac\n}\n");
}

std::string ZshScript(std::span<const CommandNode> tree) {
  return absl::StrCat("#compdef keyferry\n# zsh completion for keyferry; source <(keyferry completion zsh)\n",
                      WalkFunction(tree), ZshWords(tree),
                      "_keyferry() {\n"
                      "  local -a reply\n"
                      "  if _keyferry_takes_value \"${words[CURRENT-1]}\"; then\n"
                      "    reply=(${(f)\"$(_keyferry_choices \"${words[CURRENT-1]}\")\"})\n"
                      "    if (( $#reply )); then compadd -a reply; else _files; fi\n"
                      "  else\n"
                      "    _keyferry_words \"$(_keyferry_path \"${(@)words[2,CURRENT-1]}\")\"\n"
                      "    _describe keyferry reply || _files\n"
                      "  fi\n"
                      "}\n"
                      "compdef _keyferry keyferry\n");
}

std::string FishOption(const Option& option) {
  std::string line;
  for (const std::string& name : option.names) {
    const bool is_long = name.size() > 2;
    absl::StrAppend(&line, is_long ? " -l " : " -s ", name.substr(is_long ? 2 : 1));
  }
  if (!option.choices.empty()) {
    absl::StrAppend(&line, " -x -a ", FishQuoted(absl::StrJoin(option.choices, " ")));
  } else if (option.takes_value) {
    line += " -r";
  }
  return absl::StrCat(line, " -d ", FishQuoted(option.description), "\n");
}

std::string FishPathFunction(std::span<const CommandNode> tree) {
  std::string paths;
  for (const CommandNode& node : tree.subspan(1)) absl::StrAppend(&paths, " ", FishQuoted(node.path));
  return absl::StrCat(
      "function __keyferry_path\n"
      "  set -l path ''\n"
      "  set -l skip 0\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    if test $skip = 1\n"
      "      set skip 0\n"
      "      continue\n"
      "    end\n"
      "    switch $word\n"
      "      case ",
      absl::StrReplaceAll(ValuePattern(tree), {{"|", " "}}),
      "\n"
      "        set skip 1\n"
      "        continue\n"
      "      case '-*'\n"
      "        continue\n"
      "    end\n"
      "    set -l longer (string trim -- \"$path $word\")\n"
      "    if contains -- $longer",
      paths,
      "\n"
      "      set path $longer\n"
      "    end\n"
      "  end\n"
      "  echo $path\n"
      "end\n");
}

std::string FishScript(std::span<const CommandNode> tree) {
  std::string script =
      absl::StrCat("# fish completion for keyferry; keyferry completion fish | source\n", FishPathFunction(tree));
  for (const CommandNode& node : tree) {
    const std::string condition = absl::StrCat(
        "complete -c keyferry -n ", FishQuoted(absl::StrCat("test \"$(__keyferry_path)\" = \"", node.path, "\"")));
    for (const std::string& child : node.subcommands) {
      absl::StrAppend(&script, condition, " -f -a ", child, " -d ",
                      FishQuoted(Find(tree, ChildPath(node, child))->description), "\n");
    }
    for (const Option* option : OptionsAt(tree, node)) absl::StrAppend(&script, condition, FishOption(*option));
  }
  return script;
}

}  // namespace

std::string CompletionScript(std::string_view shell, std::span<const CommandNode> tree) {
  if (shell == "bash") return BashScript(tree);
  return shell == "zsh" ? ZshScript(tree) : FishScript(tree);
}

}  // namespace keyferry
