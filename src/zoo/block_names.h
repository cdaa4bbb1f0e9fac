// The names of the tensors inside a block of inverted residuals: timm names the parts by role;
// torchvision numbers those that exist. Thread rules: constants.
#pragma once

#include <string_view>

namespace anemone::zoo {

// A convolution and the batch normalization after it.
struct NamedPair {
  std::string_view conv;
  std::string_view norm;
};

struct BlockNames {
  NamedPair expand;
  NamedPair depthwise;
  std::string_view reduce;
  std::string_view excite;
  NamedPair project;
};

inline constexpr BlockNames kTimmBlock{{"conv_pw", "bn1"},
                                       {"conv_dw", "bn2"},
                                       "se.conv_reduce",
                                       "se.conv_expand",
                                       {"conv_pwl", "bn3"}};
// Without expansion.
inline constexpr BlockNames kTimmFirst{
    {}, {"conv_dw", "bn1"}, "se.conv_reduce", "se.conv_expand", {"conv_pw", "bn2"}};

inline constexpr BlockNames kTorchvisionBlock{
    {"0.0", "0.1"}, {"1.0", "1.1"}, "2.fc1", "2.fc2", {"3.0", "3.1"}};
inline constexpr BlockNames kTorchvisionFirst{{}, {"0.0", "0.1"}, "1.fc1", "1.fc2", {"2.0", "2.1"}};

}  // namespace anemone::zoo
