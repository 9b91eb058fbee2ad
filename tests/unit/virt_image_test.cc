// SPDX-License-Identifier: Apache-2.0
// Images of disks, in the storage pool of libvirt's test driver.
#include <gtest/gtest.h>

#include "virt/connection.h"
#include "virt/image.h"

namespace rackline::virt {
namespace {

class ImageTest : public testing::Test {
 protected:
  ImageTest() : connection_(Connection::open("test:///default")) {}
  ~ImageTest() override { remove_image(connection_.get(), image_.path); }
  std::string why_not(const std::vector<Image>& images) {
    return cannot_hold(connection_.get(), "h2", images).value_or("");
  }

  Connection connection_;
  Image image_{"/default-pool/a.qcow2", "qcow2", "", 1 << 20, 1 << 16};
};

TEST_F(ImageTest, IsMadeWhereThereIsNoneAndRemovedAgain) {
  EXPECT_EQ(why_not({image_}), "");
  make_image(connection_.get(), image_);
  const StorageVolume volume(virStorageVolLookupByPath(connection_.get(), image_.path.c_str()));
  ASSERT_NE(volume, nullptr);
  virStorageVolInfo info{};
  ASSERT_EQ(virStorageVolGetInfo(volume.get(), &info), 0);
  EXPECT_EQ(info.capacity, 1u << 20);
  EXPECT_EQ(why_not({image_}), "h2 has a file /default-pool/a.qcow2 already, which may be somebody's disk");
  EXPECT_THROW(make_image(connection_.get(), image_), VirtError);
  remove_image(connection_.get(), image_.path);
  remove_image(connection_.get(), image_.path);
  EXPECT_EQ(why_not({image_}), "");
}

TEST_F(ImageTest, NeedsAPoolThatIsTheOneOfItsVolumeAndHasRoom) {
  image_.pool = "default-pool";
  EXPECT_EQ(why_not({image_}), "");
  image_.pool = "fast";
  EXPECT_NE(why_not({image_}).find("is default-pool on h2, and not fast"), std::string::npos);
  EXPECT_NE(why_not({{"/elsewhere/a.img", "raw", "", 1, 1}}).find("no active storage pool at /elsewhere"),
            std::string::npos);
  Image one{"/default-pool/one", "raw", "", 1, std::int64_t{60} << 30};
  Image other = one;
  other.path = "/default-pool/other";
  EXPECT_EQ(why_not({one}), "");
  EXPECT_NE(why_not({one, other}).find("free at /default-pool, its disks need 120"), std::string::npos)
      << why_not({one, other});
}

}  // namespace
}  // namespace rackline::virt
