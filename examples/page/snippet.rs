use storage::{S3Storage, StorageBackend};
use bytes::Bytes;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // S3Storage automatically reads from environment variables
    let storage = S3Storage::new("my-checkpoint-bucket").await?;

    // Perform high-speed checkpoint write
    let data = Bytes::from(vec![0u8; 1024]);
    storage.write("checkpoints/epoch_10/model.bin", data).await?;
    Ok(())
}
